import { lazy, Suspense } from 'react';
import { Redirect, Route, Switch } from 'wouter';
import { CoursesScreen } from '../courses/courses-screen.tsx';
import { Loading } from '../ui/screen.tsx';
import { NotFound } from './not-found.tsx';
import { Shell } from './shell.tsx';

const CourseScreen = lazy(() => import('../courses/course-screen.tsx'));
const NoteScreen = lazy(() => import('../notes/note-screen.tsx'));
const TasksScreen = lazy(() => import('../tasks/tasks-screen.tsx'));
const TagsScreen = lazy(() => import('../tags/tags-screen.tsx'));
const TagScreen = lazy(() => import('../tags/tag-screen.tsx'));
const SearchScreen = lazy(() => import('../search/search-screen.tsx'));
const TrashScreen = lazy(() => import('../trash/trash-screen.tsx'));
const AccountScreen = lazy(() => import('../account/account-screen.tsx'));
const VerifyEmailScreen = lazy(() => import('../session/verify-email-screen.tsx'));

export function SignedIn() {
  return (
    <Shell>
      <Suspense fallback={<Loading />}>
        <Switch>
          <Route path="/" component={CoursesScreen} />
          <Route path="/courses/:id">{({ id }) => <CourseScreen key={id} id={id} />}</Route>
          <Route path="/notes/:id">{({ id }) => <NoteScreen key={id} id={id} />}</Route>
          <Route path="/tasks" component={TasksScreen} />
          <Route path="/tags" component={TagsScreen} />
          <Route path="/tags/:id">{({ id }) => <TagScreen key={id} id={id} />}</Route>
          <Route path="/search" component={SearchScreen} />
          <Route path="/trash" component={TrashScreen} />
          <Route path="/account" component={AccountScreen} />
          <Route path="/verify-email" component={VerifyEmailScreen} />
          <Route path="/callback">
            <Redirect to="/" replace />
          </Route>
          <Route component={NotFound} />
        </Switch>
      </Suspense>
    </Shell>
  );
}
