import * as v from 'valibot';

/** Policy variables such as `${aws:username}` are refused: here they would match as text, on AWS by their value. */
export const pattern = v.pipe(
  v.string(),
  v.excludes('${', 'the local stack does not support policy variables'),
  v.excludes('?', 'the local stack supports only the wildcard *'),
);

/** A list of one value may be written as the value. As a list, an error is reported with its path. */
export const listOf = <T extends v.GenericSchema>(schema: T) =>
  v.pipe(
    v.unknown(),
    v.transform((given) => [given].flat()),
    v.array(schema),
  );

const Statement = v.strictObject({
  Sid: v.optional(v.string()),
  Effect: v.literal('Allow', 'the local stack does not support Deny here'),
  Action: listOf(pattern),
  Resource: listOf(pattern),
});

/**
 * An identity-based policy. Deny, Condition, NotAction and NotResource stop the start, because the local stack does not
 * evaluate them: the policy would have another effect here than on AWS.
 */
export const PolicyDocument = v.strictObject({
  Version: v.literal('2012-10-17'),
  Statement: listOf(Statement),
});

export type PolicyDocument = v.InferOutput<typeof PolicyDocument>;

/** Allows one resource of a service, such as a rule. */
const Admission = v.strictObject({
  ...Statement.entries,
  Principal: v.strictObject({ Service: v.string() }),
  Condition: v.strictObject({
    ArnEquals: v.strictObject({
      'aws:SourceArn': v.pipe(pattern, v.regex(/^[^*]+$/, 'the local stack does not support wildcards here')),
    }),
  }),
});

/** It has no effect here: AWS services call each other only over TLS. */
const DenialOfPlainHttp = v.strictObject({
  ...Statement.entries,
  Effect: v.literal('Deny'),
  Principal: v.strictObject({ AWS: v.literal('*') }),
  Condition: v.strictObject({ Bool: v.strictObject({ 'aws:SecureTransport': v.literal('false') }) }),
});

/** The policy of a resource: who may use it, and when. Unsupported statements stop the start, as above. */
export const ResourcePolicyDocument = v.strictObject({
  Version: v.literal('2012-10-17'),
  Statement: listOf(v.variant('Effect', [Admission, DenialOfPlainHttp])),
});

export type ResourcePolicyDocument = v.InferOutput<typeof ResourcePolicyDocument>;
