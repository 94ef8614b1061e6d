import { graphql } from '@/gql';
import { begin } from '@/session/begin';

const SIGN_IN = graphql(`
  mutation SignIn($input: SignInInput!) {
    result: signIn(input: $input) {
      accessToken
      refreshToken
      userErrors {
        code
        field
      }
    }
  }
`);

export const POST = (request: Request) => begin(request, SIGN_IN, ['email', 'password'], '/sign-in');
