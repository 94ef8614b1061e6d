import { AccountPage, type AccountPageProps } from '@/ui/account-page';

export default function SignIn({ searchParams }: AccountPageProps) {
  return <AccountPage searchParams={searchParams} isNew={false} />;
}
