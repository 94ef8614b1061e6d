// The pictures of notes. They are not offline items, so the app requests them.

import type { OfflineClient } from '@snapnote/client';
import { send } from '../api/request.ts';
import { graphql, read, type FragmentType } from '../gql/index.ts';

export const PICTURE = graphql(`
  fragment Picture on Image {
    url
    width
    height
    thumbnail {
      url
      width
      height
    }
  }
`);

export const NOTE_PICTURE = graphql(`
  query NotePicture($id: ID!) {
    document(id: $id) {
      id
      image {
        ...Picture
      }
    }
  }
`);

export const COURSE_PICTURES = graphql(`
  query CoursePictures($courseId: ID!) {
    documents(filter: { courseId: $courseId, hasImage: true }, first: 100) {
      nodes {
        id
        image {
          ...Picture
        }
      }
    }
  }
`);

const REQUEST_UPLOAD = graphql(`
  mutation RequestUpload($input: RequestImageUploadInput!) {
    requestImageUpload(input: $input) {
      upload {
        id
        url
        method
        headers {
          name
          value
        }
      }
      userErrors {
        ...InputError
      }
    }
  }
`);

const SET_PICTURE = graphql(`
  mutation SetPicture($input: SetDocumentImageInput!) {
    setDocumentImage(input: $input) {
      userErrors {
        ...InputError
      }
    }
  }
`);

const REMOVE_PICTURE = graphql(`
  mutation RemovePicture($documentId: ID!) {
    removeDocumentImage(input: { documentId: $documentId }) {
      userErrors {
        ...InputError
      }
    }
  }
`);

export const INPUT_ERROR = graphql(`
  fragment InputError on UserError {
    code
    message
  }
`);

/** The types that the service accepts. */
export const PICTURE_TYPES = 'image/jpeg,image/png,image/webp,image/gif';

const MESSAGES: Partial<Record<string, string>> = {
  UNSUPPORTED_TYPE: 'Choose a JPEG, PNG, WebP or GIF picture.',
  TOO_LARGE: 'The picture is larger than 20 MB.',
  INVALID: 'This file is not a picture.',
  LIMIT_REACHED: 'Your storage is full.',
};

/** An error that the user can fix. */
export class PictureRejected extends Error {}

function check(errors: readonly FragmentType<typeof INPUT_ERROR>[] = []): void {
  const [error] = read(INPUT_ERROR, errors);
  if (error) throw new PictureRejected(MESSAGES[error.code] ?? error.message);
}

/** Uploads a picture in the two steps of the API, and makes it the note's picture. */
export async function setPicture(client: OfflineClient, documentId: string, file: File): Promise<void> {
  // The service must know the note first.
  await client.confirmed(documentId);
  const input = { documentId, contentType: file.type, byteSize: file.size };
  const { requestImageUpload } = await send(client, REQUEST_UPLOAD, { input });
  check(requestImageUpload?.userErrors);
  const upload = requestImageUpload?.upload;
  if (!upload) throw new Error('The response has no upload.');
  const headers = Object.fromEntries(upload.headers.map(({ name, value }) => [name, value]));
  const response = await fetch(upload.url, { method: upload.method, headers, body: file });
  if (!response.ok) throw new Error(`The upload failed with ${response.status}.`);
  const { setDocumentImage } = await send(client, SET_PICTURE, { input: { documentId, uploadId: upload.id } });
  check(setDocumentImage?.userErrors);
}

export async function removePicture(client: OfflineClient, documentId: string): Promise<void> {
  await send(client, REMOVE_PICTURE, { documentId });
}
