import Link from 'next/link';
import { notFound } from 'next/navigation';
import { graphql } from '@/gql';
import { asUser } from '@/service/as-user';
import { NoteText } from '@/ui/note-text';
import { FailureNotice } from '@/ui/failure-notice';

const NOTE = graphql(`
  query Note($id: ID!) {
    document(id: $id) {
      title
      formattedNote
      course {
        id
        name
      }
    }
  }
`);

export default async function NotePage({ params }: { params: Promise<{ id: string }> }) {
  const { data, failure } = await asUser(NOTE, await params);
  if (failure) return <FailureNotice failure={failure} />;
  const { document } = data;
  if (!document) notFound();
  return (
    <article>
      <title>{`${document.title} – SnapNote`}</title>
      <p>
        <Link href={`/courses/${document.course.id}`}>{document.course.name}</Link>
      </p>
      <h1>{document.title}</h1>
      <NoteText text={document.formattedNote} />
    </article>
  );
}
