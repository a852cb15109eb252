import * as requests from '../shared/contract/requests.ts';
import { revisionConflict } from '../shared/domain/errors.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { END } from '../shared/domain/position.ts';
import { markRead } from '../shared/operations/mark-read.ts';
import { createTidemark, membershipMode } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';
import { watermarkAnswer } from './runtime/watermark-answer.ts';

const tidemark = createTidemark(membershipMode());

export const handler = serve(
  requests.markRead,
  async ({ messageId: position, private: isPrivate, ifRevision = null, ...member }) => {
    const marked = await markRead(tidemark, member, position, { isPrivate, ifRevision });
    if (!marked) return null;
    const { view, advanced, clamped, isConflict } = marked;
    const state = { ...watermarkAnswer(member, view), advanced, clamped };
    if (isConflict) throw revisionConflict(state);
    return ok(state);
  },
);

await prepare({
  tidemark,
  // Always strict: in an open group the rehearsal would make a member.
  operation: () => markRead({ ...tidemark, mode: 'strict' }, NOBODY, END),
  writes: true,
  others: [handler.rehearse],
});
