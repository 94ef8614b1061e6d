import { dismissAnnouncement, useAnnouncement } from './announcements.ts';
import { Icon } from './icons.tsx';

/** The place where messages appear. It is always on the page, because screen readers only read changes of what they know. */
export function Toast() {
  const message = useAnnouncement();
  return (
    <div className="toasts" role="status" aria-live="polite">
      {message && (
        <div className="toast" key={message.key}>
          <span>{message.text}</span>
          {message.action && (
            <button
              type="button"
              onClick={() => {
                message.action?.run();
                dismissAnnouncement();
              }}
            >
              {message.action.label}
            </button>
          )}
          <button type="button" className="toast-close" aria-label="Dismiss message" onClick={dismissAnnouncement}>
            <Icon name="close" size={16} />
          </button>
        </div>
      )}
    </div>
  );
}
