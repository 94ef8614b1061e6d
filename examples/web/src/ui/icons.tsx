// Icons: strokes of one weight on a grid of 20. They are decoration, so controls have a text or a label of their own.

const PATHS = {
  courses: 'M4 4.5h4.5A1.5 1.5 0 0 1 10 6v10a2 2 0 0 0-2-1.5H4zM16 4.5h-4.5A1.5 1.5 0 0 0 10 6v10a2 2 0 0 1 2-1.5h4z',
  tasks: 'm3.5 5.5 1.2 1.2L7 4.4M10 5.7h6.5M3.5 11l1.2 1.2L7 9.9M10 11.2h6.5M10 16h6.5M4 16h2.4',
  search: 'M9 14.5A5.5 5.5 0 1 0 9 3.5a5.5 5.5 0 0 0 0 11zM13 13l4 4',
  tags: 'M3.5 4v5.2l7.3 7.3 5.7-5.7-7.3-7.3H4a.5.5 0 0 0-.5.5zM7 7h.01',
  trash: 'M4 5.5h12M8 5.5V3.8h4v1.7M5.5 5.5l.7 11h7.6l.7-11M8.5 8.5v5M11.5 8.5v5',
  account: 'M10 10a3.2 3.2 0 1 0 0-6.4A3.2 3.2 0 0 0 10 10zM4 16.5c.6-3 3-4.5 6-4.5s5.4 1.5 6 4.5',
  plus: 'M10 4v12M4 10h12',
  close: 'm5 5 10 10M15 5 5 15',
  edit: 'M4 16l.7-3.2 8.4-8.400a1.6 1.6 0 0 1 2.3 0l.2.2a1.6 1.6 0 0 1 0 2.300L7.2 15.300z',
  back: 'M12 4.5 6.5 10l5.5 5.5',
  grip: 'M7.5 5h.01M12.5 5h.01M7.5 10h.01M12.5 10h.01M7.5 15h.01M12.5 15h.01',
  picture: 'M3.5 4.500h13v11h-13zM3.5 13l3.5-3.5 3 3 2.5-2.5 4 4M12.5 7.500h.01',
  clock: 'M10 16.500a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM10 6.500V10l2.5 1.5',
  note: 'M5 3.500h7l3.5 3.500v9.500H5zM12 3.500V7h3.500M7.5 10.500h5M7.5 13.300h3.5',
  restore: 'M4.5 8h8a3.7 3.7 0 0 1 0 7.500H8M7.5 5l-3 3 3 3',
  warning: 'M10 3.5 17 16H3zM10 8.500v3.500M10 14h.01',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  const strokeWidth = name === 'grip' ? 2.4 : 1.5;
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 20 20" aria-hidden="true">
      <path d={PATHS[name]} fill="none" stroke="currentColor" strokeWidth={strokeWidth} strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
