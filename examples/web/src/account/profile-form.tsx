import { useClient } from '@snapnote/client/react';
import { useState } from 'react';
import { send } from '../api/request.ts';
import { graphql, read, type FragmentType } from '../gql/index.ts';
import { useForm } from '../session/use-form.ts';
import { announce } from '../ui/announcements.ts';
import { onSubmit, Segmented, TextAreaField, TextField } from '../ui/form.tsx';

const PROFILE_FORM = graphql(`
  fragment ProfileForm on User {
    id
    name
    profile {
      proficiency
      learningGoals
    }
  }
`);

const UPDATE = graphql(`
  mutation UpdateProfile($me: UpdateMeInput!, $profile: UpdateProfileInput!) {
    updateMe(input: $me) {
      userErrors {
        code
        field
        message
      }
    }
    updateProfile(input: $profile) {
      userErrors {
        code
        field
        message
      }
    }
  }
`);

const LEVELS = [
  ['BEGINNER', 'Beginner'],
  ['INTERMEDIATE', 'Intermediate'],
  ['PRO', 'Advanced'],
] as const;

/** The user's name, and what notes should be adapted to. */
export function ProfileForm({ user }: { user: FragmentType<typeof PROFILE_FORM> }) {
  const client = useClient();
  const { name: savedName, profile } = read(PROFILE_FORM, user);
  const [name, setName] = useState(savedName);
  const [proficiency, setProficiency] = useState(profile.proficiency);
  const [goals, setGoals] = useState(profile.learningGoals ?? '');
  const { run, errorOf, general, isSending } = useForm();
  const save = async () => {
    const action = async () => {
      const variables = { me: { name }, profile: { proficiency, learningGoals: goals || null } };
      const { updateMe, updateProfile } = await send(client, UPDATE, variables);
      return [...(updateMe?.userErrors ?? []), ...(updateProfile?.userErrors ?? [])];
    };
    if (await run(action)) announce('Your profile is saved.');
  };
  return (
    <section className="panel" aria-labelledby="profile">
      <h2 id="profile">Profile</h2>
      <form className="form" onSubmit={onSubmit(() => void save())}>
        <TextField label="Name" required autoComplete="name" value={name} onChange={setName} error={errorOf('name')} />
        <div className="field">
          <span className="label">What you know already</span>
          <Segmented label="What you know already" value={proficiency} options={LEVELS} onChange={setProficiency} />
        </div>
        <TextAreaField label="Learning goals" maxLength={10_000} value={goals} onChange={setGoals} error={errorOf('learningGoals')} />
        <p className="form-problem" role="alert">
          {general}
        </p>
        <button type="submit" className="button button-primary" disabled={isSending}>
          Save profile
        </button>
      </form>
    </section>
  );
}
