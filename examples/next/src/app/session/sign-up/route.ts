import { graphql } from '@/gql';
import { begin } from '@/session/begin';

const SIGN_UP = graphql(`
  mutation SignUp($input: SignUpInput!) {
    result: signUp(input: $input) {
      accessToken
      refreshToken
      userErrors {
        code
        field
      }
    }
  }
`);

export const POST = (request: Request) => begin(request, SIGN_UP, ['name', 'email', 'password'], '/sign-up');
