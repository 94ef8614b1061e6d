// Documents as an application with Apollo Client has them.
import { gql } from '@apollo/client';

const ROW = gql`fragment Row on Course { id name }`;
export const COURSES = gql`query Courses($first: Int) { courses(first: $first) { nodes { ...Row } } } ${ROW}`;
export const RENAME = gql`mutation Rename($input: UpdateMeInput!) { updateMe(input: $input) { user { name } userErrors { code } } }`;
