import { lazy, Suspense } from 'react';
import { Skeleton, Stack } from '@mantine/core';
import type { Repository } from '../../api/queries.ts';
import { Addresses } from '../addresses.tsx';
import { Life } from '../life.tsx';
import { General } from './general.tsx';

const Branding = lazy(async () => ({ default: (await import('./branding.tsx')).Branding }));
const CustomDomain = lazy(async () => ({ default: (await import('./domain.tsx')).CustomDomain }));
const Keys = lazy(async () => ({ default: (await import('./keys.tsx')).Keys }));
const IdentityProviders = lazy(async () => ({ default: (await import('./identity-providers.tsx')).IdentityProviders }));

/** Everything about a repository that can be set; what stops it comes last. */
export function Settings({ repository, onDeleted }: { repository: Repository; onDeleted: () => void }) {
  return (
    <Stack gap="lg">
      <General repository={repository} />
      <Addresses repository={repository} />
      <Suspense fallback={<Skeleton height={400} />}>
        <Branding repository={repository} />
        <IdentityProviders slug={repository.slug} />
        <CustomDomain slug={repository.slug} />
        <Keys repository={repository} />
      </Suspense>
      <Life repository={repository} onDeleted={onDeleted} />
    </Stack>
  );
}
