import * as v from 'valibot';
import { userId } from '../../shared/contract/schemas.ts';
import { notFound, type TidemarkError } from '../../shared/domain/errors.ts';
import type { UserId } from '../../shared/domain/ids.ts';
import type { Answer } from './problem.ts';
import { type Request, type RouteInput, route } from './route.ts';

export interface UserRequest<P, Q, B> extends Omit<Request<P, Q, B>, 'caller'> {
  /** The user whom it is about. */
  readonly user: UserId;
  /** That there is no such group for the user, in words for whoever asks. */
  readonly notFound: () => TidemarkError;
}

/**
 * A Lambda behind a route that users call about themselves, and behind its twin under `/v1/users/{userId}` that back ends
 * call about a user. The answers are the same.
 */
export function userRoute<P = unknown, Q = unknown, B = unknown>(
  { params, ...input }: RouteInput<P, Q, B>,
  answer: (request: UserRequest<P, Q, B>) => Promise<Answer>,
) {
  const named = v.object({ ...params?.entries, userId: v.optional(userId) });
  return route(
    { ...input, params: named },
    async ({ caller, ...request }) => {
      const { userId: subject, ...rest } = request.params;
      return answer({
        ...request,
        params: rest as P,
        user: subject ?? caller(),
        notFound: () => notFound(subject === undefined ? 'you are' : 'the user is'),
      });
    },
    'user',
  );
}
