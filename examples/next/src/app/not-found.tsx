import Link from 'next/link';
import { Notice } from '@/ui/notice';

export default function NotFound() {
  return (
    <main>
      <Notice title="Not found" advice="There is nothing here, or it is not yours.">
        <Link href="/courses">Go to your courses</Link>
      </Notice>
    </main>
  );
}
