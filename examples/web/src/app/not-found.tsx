import { Link } from 'wouter';
import { Empty, Screen } from '../ui/screen.tsx';

export function NotFound() {
  return (
    <Screen title="Not found">
      <Empty icon="warning" title="There is nothing at this address.">
        <p>
          It may have been deleted. <Link href="/">Go to your courses</Link>.
        </p>
      </Empty>
    </Screen>
  );
}
