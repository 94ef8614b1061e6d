// Documents as an application with Relay has them.
import { graphql } from 'relay-runtime';

graphql`fragment app_row on Course { id name }`;
graphql`query appCoursesQuery($first: Int) { courses(first: $first) { nodes { ...app_row } } }`;
graphql`mutation appRenameMutation($input: UpdateMeInput!) { updateMe(input: $input) { user { name } userErrors { code } } }`;
