import { AccountPage, type AccountPageProps } from '@/ui/account-page';

export default function SignUp({ searchParams }: AccountPageProps) {
  return <AccountPage searchParams={searchParams} isNew />;
}
