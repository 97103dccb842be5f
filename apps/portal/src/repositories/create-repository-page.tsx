import { useState } from 'react';
import { Alert, Anchor, Button, Group, Paper, Radio, Stack, Text, TextInput, VisuallyHidden } from '@mantine/core';
import { useForm } from '@mantine/form';
import { CheckCircledIcon } from '@radix-ui/react-icons';
import { useQueryClient } from '@tanstack/react-query';
import { slugSchema } from '@latchkey/contracts';
import { Link } from 'wouter';
import { answerOf, useApi, type Api } from '../api/api.ts';
import { kept } from '../api/queries.ts';
import { useChange, useFaultsAtFields } from '../api/use-change.ts';
import { AddressFields } from '../controls/address-fields.tsx';
import { ExactValue, Fact, Facts } from '../controls/exact-value.tsx';
import { NewSecret } from '../controls/new-secret.tsx';
import { Page } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { useSlugAvailability } from './slug-availability.ts';
import { suggestSlug } from './slug-suggestion.ts';

interface Wish extends Record<string, unknown> {
  name: string;
  slug: string;
  environment: 'production' | 'integration';
  redirectUris: string[];
}

const post = (api: Api, headers: Record<string, string>, body: Wish) => answerOf(api.POST('/v1/repositories', { body, headers }));
const repositoriesPage = { title: 'Repositories', href: '/' };
type Provisioned = Awaited<ReturnType<typeof post>>;

/**
 * Creates a repository, and then shows what came with it: the secret is in this component's state alone.
 *
 * @param first for somebody who has just signed up.
 */
export function CreateRepositoryPage({ first = false }: { first?: boolean }) {
  const [made, setMade] = useState<Provisioned>();
  return made ? <Made repository={made} /> : <CreateForm first={first} onMade={setMade} />;
}

/** What is wrong with a slug as far as it can be known here. Too short is no fault while one is still typing. */
function slugFault(slug: string): string | undefined {
  return slug.length < 3 ? undefined : slugSchema.safeParse(slug).error?.issues[0]?.message;
}

function CreateForm({ first, onMade }: { first: boolean; onMade: (made: Provisioned) => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const [ownSlug, setOwnSlug] = useState(false);
  const form = useForm<Wish>({ initialValues: { name: '', slug: '', environment: 'production', redirectUris: [] } });
  const change = useChange(async (headers, wish: Wish) => {
    const made = await post(api, headers, wish);
    void queries.invalidateQueries({ queryKey: kept.repositories });
    // What was said of slugs is no longer true of this one.
    queries.removeQueries({ queryKey: ['slug'] });
    onMade(made);
  });
  useFaultsAtFields(form, change.problem);
  const availability = useSlugAvailability(form.values.slug);

  const setSlug = (slug: string) => {
    form.setFieldValue('slug', slug);
    form.setFieldError('slug', slugFault(slug));
  };
  const submit = form.onSubmit((values) => {
    const redirectUris = values.redirectUris.map((uri) => uri.trim()).filter((uri) => uri !== '');
    form.setFieldValue('redirectUris', redirectUris);
    void change.run({ ...values, redirectUris });
  });
  return (
    <Page title={first ? 'Welcome: your first repository' : 'Create a repository'} {...(first ? {} : { within: repositoriesPage })}>
      {first && (
        <Text maw={640}>
          A repository holds your content and has its own users. With it come an authority at which they sign in, a client ID for your app,
          and a client ID with a secret for your tools. It is ready in a moment.
        </Text>
      )}
      <Paper withBorder p={{ base: 'md', sm: 'lg' }} maw={640}>
        <form onSubmit={submit} noValidate>
          <Stack gap="lg">
            <TextInput
              label="Name"
              description="What people see, also when they sign in. It can be changed later."
              required
              autoComplete="off"
              data-autofocus
              {...form.getInputProps('name')}
              onChange={(event) => {
                const name = event.currentTarget.value;
                form.setFieldValue('name', name);
                if (!ownSlug) setSlug(suggestSlug(name));
              }}
            />
            <TextInput
              label="Slug"
              description="The part of the addresses that names it: 3 to 40 of a–z, 0–9 and single hyphens, beginning with a letter. It stays for ever."
              required
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              classNames={{ input: 'exact' }}
              {...form.getInputProps('slug')}
              error={form.errors['slug'] ?? (availability?.available === false ? availability.fault : undefined)}
              rightSection={availability?.available && <CheckCircledIcon color="var(--mantine-primary-color-filled)" />}
              onChange={(event) => {
                setOwnSlug(event.currentTarget.value !== '');
                setSlug(event.currentTarget.value);
              }}
            />
            <VisuallyHidden role="status">{availability?.available ? `The slug ${availability.slug} is free` : ''}</VisuallyHidden>
            <Radio.Group label="Environment" {...form.getInputProps('environment')}>
              <Stack gap="xs" mt="xs">
                <Radio value="production" label="Production" description="What your customers use." />
                <Radio
                  value="integration"
                  label="Integration"
                  description="For developing and testing. Its secrets say so in their first letters."
                />
              </Stack>
            </Radio.Group>
            <AddressFields
              legend="Redirect URIs of your app"
              about="Where the authority may send people back to after they signed in. You can leave this for later."
              one="a redirect URI"
              placeholder="https://app.example.com/signed-in"
              name="redirectUris"
              value={form.values.redirectUris}
              errors={form.errors}
              onChange={(uris) => form.setFieldValue('redirectUris', uris)}
            />
            <ProblemAlert
              problem={change.problem}
              fields={['name', 'slug', 'environment', 'redirectUris']}
              lost={
                <>
                  The repository is there.{' '}
                  <Anchor component={Link} href={`/api-keys/${form.values.slug}/token`} inherit underline="always">
                    Regenerate its secret
                  </Anchor>{' '}
                  to get one that you can see.
                </>
              }
            />
            <Group>
              <Button type="submit" loading={change.pending}>
                Create the repository
              </Button>
              <Button component={Link} href="/" variant="default">
                {first ? 'Later' : 'Cancel'}
              </Button>
            </Group>
          </Stack>
        </form>
      </Paper>
    </Page>
  );
}

function Made({ repository }: { repository: Provisioned }) {
  const { slug, authorityUrl, repositoryUrl, appClient, toolClient } = repository;
  return (
    <Page title={`${repository.name} is ready`} within={repositoriesPage}>
      <Alert color="key" variant="light" icon={<CheckCircledIcon />} role="status">
        <Text size="sm">Its authority, its clients and its content answer from now on.</Text>
      </Alert>
      <NewSecret value={toolClient.secret.value} settings={{ slug, authorityUrl, repositoryUrl, clientId: toolClient.clientId }} />
      <Paper withBorder p={{ base: 'md', sm: 'lg' }}>
        <Facts>
          <Fact name="Authority URL">
            <ExactValue value={authorityUrl} what="the authority URL" />
          </Fact>
          <Fact name="Repository API">
            <ExactValue value={repositoryUrl} what="the repository API's address" />
          </Fact>
          <Fact name="Client ID for your app">
            <ExactValue value={appClient.clientId} what="the client ID for your app" />
          </Fact>
          <Fact name="Client ID for your tool">
            <ExactValue value={toolClient.clientId} what="the client ID for your tool" />
          </Fact>
        </Facts>
      </Paper>
      <Group>
        <Button component={Link} href={`/repositories/${slug}`}>
          I have stored the secret: on to the repository
        </Button>
      </Group>
    </Page>
  );
}
