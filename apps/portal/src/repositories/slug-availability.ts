import { useDebouncedValue } from '@mantine/hooks';
import { slugSchema } from '@latchkey/contracts';
import { useAnswer } from '../api/queries.ts';

const pauseMillis = 300;

/** What the API says of the slug that is being typed, once one pauses; nothing while it does not know. */
export function useSlugAvailability(slug: string): { slug: string; available: boolean; fault: string | null } | undefined {
  const [asked] = useDebouncedValue(slug, pauseMillis);
  const enabled = slugSchema.safeParse(asked).success;
  const answer = useAnswer(
    ['slug', asked],
    (api, signal) => api.GET('/v1/slug-availability', { params: { query: { slug: asked } }, signal }),
    {
      enabled,
    },
  );
  return enabled && asked === slug ? answer.data : undefined;
}
