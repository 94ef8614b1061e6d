// Documents as an application with the client preset of graphql-codegen has them.
import { graphql } from '../built/codegen';

export const Row = graphql(`fragment Row on Course { id name }`);
export const Courses = graphql(`query Courses($first: Int) { courses(first: $first) { nodes { ...Row } } }`);
export const Rename = graphql(`mutation Rename($input: UpdateMeInput!) { updateMe(input: $input) { user { name } userErrors { code } } }`);
