import { useEffect, useRef, type ReactNode } from 'react';
import { Icon, type IconName } from './icons.tsx';

let isFirst = true;

/** A screen of the app. It sets the title of the page. After a navigation, it moves the focus to its heading, so that it is read. */
export function Screen({ title, actions, lead, children, className = '' }: ScreenProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} – SnapNote`;
  }, [title]);
  useEffect(() => {
    if (!isFirst) heading.current?.focus({ preventScroll: true });
    isFirst = false;
    window.scrollTo(0, 0);
  }, []);
  return (
    <div className={`screen ${className}`}>
      <header className="screen-head">
        <div className="screen-title">
          {lead}
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
        </div>
        {actions && <div className="screen-actions">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

interface ScreenProps {
  title: string;
  actions?: ReactNode;
  /** Shown above the title. */
  lead?: ReactNode;
  children: ReactNode;
  className?: string;
}

/** What a list shows when it has nothing: what belongs here, and how to add it. */
export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <span className="empty-icon">
        <Icon name={icon} size={28} />
      </span>
      <p className="empty-title">{title}</p>
      {children && <div className="empty-text">{children}</div>}
    </div>
  );
}

/** Placeholder lines while something loads. */
export function Loading({ label = 'Loading' }: { label?: string }) {
  return (
    <div className="loading" role="status">
      <span className="visually-hidden">{label}</span>
      <span className="loading-line" />
      <span className="loading-line" />
      <span className="loading-line" />
    </div>
  );
}
