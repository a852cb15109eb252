import * as v from 'valibot';

/** Policy variables such as `${aws:username}` would match by their letters here, and by their value on AWS. */
export const pattern = v.pipe(
  v.string(),
  v.excludes('${', 'the local stack knows no policy variables'),
  v.excludes('?', 'the local stack knows the wildcard * alone'),
);

/** Policies write a list of one as that one. Turned into a list, a fault is reported with its place. */
export const listOf = <T extends v.GenericSchema>(schema: T) =>
  v.pipe(
    v.unknown(),
    v.transform((given) => [given].flat()),
    v.array(schema),
  );

const Statement = v.strictObject({
  Sid: v.optional(v.string()),
  Effect: v.literal('Allow', 'the local stack knows no Deny here'),
  Action: listOf(pattern),
  Resource: listOf(pattern),
});

/**
 * An identity-based policy. What the local stack does not evaluate (Deny, Condition, NotAction, NotResource) stops the
 * start: a policy that is half understood would allow something else here than on AWS.
 */
export const PolicyDocument = v.strictObject({
  Version: v.literal('2012-10-17'),
  Statement: listOf(Statement),
});

export type PolicyDocument = v.InferOutput<typeof PolicyDocument>;

/** Lets one resource of a service in, such as a rule. */
const Admission = v.strictObject({
  ...Statement.entries,
  Principal: v.strictObject({ Service: v.string() }),
  Condition: v.strictObject({
    ArnEquals: v.strictObject({
      'aws:SourceArn': v.pipe(pattern, v.regex(/^[^*]+$/, 'the local stack knows no wildcards here')),
    }),
  }),
});

/** Nothing here is met by it: services of AWS call each other over TLS alone. */
const DenialOfPlainHttp = v.strictObject({
  ...Statement.entries,
  Effect: v.literal('Deny'),
  Principal: v.strictObject({ AWS: v.literal('*') }),
  Condition: v.strictObject({ Bool: v.strictObject({ 'aws:SecureTransport': v.literal('false') }) }),
});

/** The policy of a resource, which says who may use it and when. What is not evaluated stops the start, as above. */
export const ResourcePolicyDocument = v.strictObject({
  Version: v.literal('2012-10-17'),
  Statement: listOf(v.variant('Effect', [Admission, DenialOfPlainHttp])),
});

export type ResourcePolicyDocument = v.InferOutput<typeof ResourcePolicyDocument>;
