export interface RoutePattern {
  readonly method: string;
  readonly segments: readonly string[];
}

/** A route key such as `GET /v1/groups/{groupId}/watermark`. */
export function parseRouteKey(routeKey: string): RoutePattern {
  const [method = '', path = ''] = routeKey.split(' ');
  if (!path.startsWith('/') || path.includes('+}'))
    throw new Error(`the local stack does not know the route ${routeKey}`);
  return { method, segments: segmentsOf(path) };
}

export function segmentsOf(path: string): readonly string[] {
  return path.split('/').slice(1);
}

/** The path parameters where a path is one of the route's, as they are in the path; null where it is not. */
export function matchPath(
  { segments }: RoutePattern,
  given: readonly string[],
): Record<string, string> | null {
  if (given.length !== segments.length) return null;
  const parameters: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const value = given[index] ?? '';
    if (!isParameter(segment)) {
      if (segment !== value) return null;
    } else if (value === '') {
      return null;
    } else {
      parameters[segment.slice(1, -1)] = value;
    }
  }
  return parameters;
}

/** The more of a route is spelt out, the earlier it is tried. */
export function bySpecificity(a: RoutePattern, b: RoutePattern): number {
  return a.segments.filter(isParameter).length - b.segments.filter(isParameter).length;
}

function isParameter(segment: string): boolean {
  return segment.startsWith('{');
}
