import * as v from 'valibot';

/** Policy variables such as `${aws:username}` would match by their letters here, and by their value on AWS. */
const pattern = v.pipe(v.string(), v.excludes('${', 'the local stack knows no policy variables'));

const patterns = v.pipe(
  v.union([pattern, v.array(pattern)]),
  v.transform((given) => [given].flat()),
);

const Statement = v.strictObject({
  Sid: v.optional(v.string()),
  Effect: v.picklist(['Allow', 'Deny']),
  Action: patterns,
  Resource: patterns,
});

/**
 * An identity-based policy. What the local stack does not evaluate (Condition, NotAction, NotResource) stops the start:
 * a policy that is half understood would allow or deny something else here than on AWS.
 */
export const PolicyDocument = v.strictObject({
  Version: v.literal('2012-10-17'),
  Statement: v.pipe(
    v.union([Statement, v.array(Statement)]),
    v.transform((given) => [given].flat()),
  ),
});

export type PolicyDocument = v.InferOutput<typeof PolicyDocument>;
