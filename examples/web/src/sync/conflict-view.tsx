import { diffLines } from 'diff';
import { fieldLabel } from './labels.ts';

interface Props {
  field: string;
  /** The text that was entered here. */
  mine: string;
  /** The text that another window or device has saved. */
  theirs: string;
  onChoose: (text: string) => void;
}

/** Two versions of a text beside each other, with the different lines marked, and the choice between them. */
export default function ConflictView({ field, mine, theirs, onChoose }: Props) {
  const isLong = field === 'formattedNote' || field === 'originalText' || field === 'description';
  return (
    <div className="conflict">
      <p>The {fieldLabel(field)} was changed in two places. Choose the version to keep.</p>
      <div className="conflict-versions">
        <Version title="Your version" text={mine} other={theirs} />
        <Version title="The other version" text={theirs} other={mine} />
      </div>
      <div className="dialog-actions">
        {isLong && (
          <button type="button" className="button" onClick={() => onChoose(`${theirs}\n\n${mine}`)}>
            Keep both
          </button>
        )}
        <button type="button" className="button" onClick={() => onChoose(theirs)}>
          Keep the other version
        </button>
        <button type="button" className="button button-primary" onClick={() => onChoose(mine)}>
          Keep my version
        </button>
      </div>
    </div>
  );
}

function Version({ title, text, other }: { title: string; text: string; other: string }) {
  const parts = diffLines(other, text).filter(({ removed }) => !removed);
  return (
    <section className="conflict-version" aria-label={title}>
      <h3>{title}</h3>
      <pre tabIndex={0}>
        {parts.map(({ value, added }, index) => (added ? <mark key={index}>{value}</mark> : <span key={index}>{value}</span>))}
      </pre>
    </section>
  );
}
