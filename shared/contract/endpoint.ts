import * as v from 'valibot';

/** Who may call an endpoint. An endpoint for users has a second route for back ends, whose path names the user. */
export type Who = 'user' | 'service' | 'anyone';

type Method = 'DELETE' | 'GET' | 'PATCH' | 'POST' | 'PUT';

type Entries = Readonly<Record<string, v.GenericSchema>>;

/**
 * The request of an endpoint: where it is, who may call it, and its values. Unknown fields and parameters are refused.
 */
export interface Request {
  /** Names the endpoint in code and in the OpenAPI document. */
  readonly name: string;
  readonly who: Who;
  /** Method and path below `/v1`. */
  readonly at: `${Method} /${string}`;
  /**
   * The schemas of the names in the path. An endpoint of users needs `userId` too, for the path of its second route.
   */
  readonly path?: Entries;
  /** The query parameters. */
  readonly query?: Entries;
  /** The fields of a body that every call must have. */
  readonly body?: Entries;
  /** The fields of an optional body. A missing body counts as `{}`. */
  readonly optionalBody?: Entries;
}

type NamesIn<Place extends string> = Place extends `${string}{${infer Name}}${infer Rest}`
  ? Name | NamesIn<Rest>
  : never;

type Values<E> = E extends Entries
  ? v.InferOutput<v.StrictObjectSchema<{ -readonly [Name in keyof E]: E[Name] }, undefined>>
  : unknown;

type Part<R extends Request, Name extends keyof Request> = R extends { readonly [N in Name]: infer E }
  ? Values<E>
  : unknown;

type PathParameters<R extends Request> = R extends { readonly path: infer E }
  ? Values<Pick<E, NamesIn<R['at']> & keyof E>>
  : unknown;

/** The values of a call under their names: path parameters, query parameters and the fields of the body. */
export type Taken<R extends Request> = PathParameters<R> &
  Part<R, 'query'> &
  Part<R, 'body'> &
  Part<R, 'optionalBody'>;

/** The schemas of the parts of a call. The path may also have the user whom a back end names. */
export function schemasOf({ who, at, path = {}, query = {}, body, optionalBody = {} }: Request) {
  const named = Object.entries(path).filter(([name]) => at.includes(`{${name}}`));
  const user: Entries = who === 'user' && path.userId ? { userId: v.optional(path.userId) } : {};
  return {
    path: v.strictObject({ ...Object.fromEntries(named), ...user }),
    query: v.strictObject(query),
    body: v.strictObject(body ?? optionalBody),
    isBodyOptional: body === undefined,
  };
}

export interface Route {
  readonly method: Method;
  readonly path: string;
  readonly who: Who;
}

/** The routes of an endpoint: one, or for an endpoint of users also the one that back ends call on a user's behalf. */
export function routesOf({ who, at }: Pick<Request, 'who' | 'at'>): readonly Route[] {
  const [method, path] = at.split(' ') as [Method, string];
  const own: Route = { method, path: `/v1${path}`, who };
  return who === 'user' ? [own, { method, path: `/v1/users/{userId}${path}`, who: 'service' }] : [own];
}
