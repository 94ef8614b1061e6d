import { useItems } from '@snapnote/client/react';
import { useEffect, type ReactNode } from 'react';
import { Link, useLocation, useRoute } from 'wouter';
import { Attention } from '../sync/attention.tsx';
import { SyncStatus } from '../sync/sync-status.tsx';
import { DEFAULT_COLOR } from '../ui/colors.tsx';
import { Icon, type IconName } from '../ui/icons.tsx';

const PLACES: readonly (readonly [path: string, label: string, icon: IconName])[] = [
  ['/', 'Courses', 'courses'],
  ['/tasks', 'Tasks', 'tasks'],
  ['/search', 'Search', 'search'],
  ['/tags', 'Tags', 'tags'],
  ['/trash', 'Trash', 'trash'],
  ['/account', 'Account', 'account'],
];

function NavLink({ path, label, icon }: { path: string; label: string; icon: IconName }) {
  const [isCurrent] = useRoute(path);
  return (
    <Link href={path} className="nav-link" aria-current={isCurrent ? 'page' : undefined}>
      <Icon name={icon} />
      <span>{label}</span>
    </Link>
  );
}

function CourseLinks() {
  const courses = useItems('Course');
  const [location] = useLocation();
  if (courses.length === 0) return null;
  return (
    <nav className="nav-courses" aria-labelledby="nav-courses">
      <h2 id="nav-courses">Courses</h2>
      <ul>
        {courses.map(({ id, fields }) => (
          <li key={id}>
            <Link href={`/courses/${id}`} aria-current={location === `/courses/${id}` ? 'page' : undefined}>
              <span className="swatch" style={{ background: fields.color ?? DEFAULT_COLOR }} />
              {fields.name}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** `/` opens the search, unless the user is typing. */
function useSearchKey() {
  const [, navigate] = useLocation();
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const isTyping = event.target instanceof HTMLElement && event.target.closest('input, textarea, select, dialog');
      if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      navigate('/search');
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [navigate]);
}

/** The frame around all screens: navigation, the state of the connection, and what needs attention. */
export function Shell({ children }: { children: ReactNode }) {
  useSearchKey();
  return (
    <div className="shell">
      <a className="skip" href="#content">
        Skip to content
      </a>
      <header className="side">
        <Link href="/" className="wordmark" aria-label="SnapNote, courses">
          <img src="/icon.svg" alt="" width="28" height="28" />
          SnapNote
        </Link>
        <nav className="nav" aria-label="Main">
          {PLACES.map(([path, label, icon]) => (
            <NavLink key={path} path={path} label={label} icon={icon} />
          ))}
        </nav>
        <CourseLinks />
        <SyncStatus />
      </header>
      <main id="content" className="main" tabIndex={-1}>
        <Attention />
        {children}
      </main>
    </div>
  );
}
