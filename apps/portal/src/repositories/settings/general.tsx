import { useState } from 'react';
import { Button, Checkbox, Group, NativeSelect, NumberInput, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { answerOf, useApi } from '../../api/api.ts';
import { useForget, useMay, type Repository } from '../../api/queries.ts';
import { useChange, useFaultsAtFields } from '../../api/use-change.ts';
import { inWords } from '../../controls/in-words.ts';
import { Section } from '../../controls/page.tsx';
import { ProblemAlert } from '../../controls/problem-alert.tsx';

type Wish = Pick<
  Repository,
  | 'name'
  | 'accessTokenSeconds'
  | 'toolTokenSeconds'
  | 'refreshTokenSeconds'
  | 'sessionSeconds'
  | 'secondFactor'
  | 'newDeviceMails'
  | 'deviceFlow'
> &
  Record<string, unknown>;

const fields = ['name', 'accessTokenSeconds', 'toolTokenSeconds', 'refreshTokenSeconds', 'sessionSeconds', 'secondFactor'];

/** The name, how long tokens and sessions live, and how people sign in. */
export function General({ repository }: { repository: Repository }) {
  const api = useApi();
  const forget = useForget(repository.slug);
  const [saved, setSaved] = useState(false);
  const mayChange = useMay('repositories:write');
  const { name, accessTokenSeconds, toolTokenSeconds, refreshTokenSeconds, sessionSeconds, secondFactor, newDeviceMails, deviceFlow } =
    repository;
  const form = useForm<Wish>({
    initialValues: {
      name,
      accessTokenSeconds,
      toolTokenSeconds,
      refreshTokenSeconds,
      sessionSeconds,
      secondFactor,
      newDeviceMails,
      deviceFlow,
    },
    onValuesChange: () => setSaved(false),
  });
  const change = useChange(async (headers, values: Wish) => {
    const changed = Object.fromEntries(Object.entries(values).filter(([field]) => form.isDirty(field)));
    await answerOf(api.PATCH('/v1/repositories/{slug}', { params: { path: { slug: repository.slug } }, body: changed, headers }));
    await forget();
    form.resetDirty(values);
    setSaved(true);
  });
  useFaultsAtFields(form, change.problem);
  const seconds = (label: string, field: string, description: string, max: number) => (
    <NumberInput
      label={label}
      description={description}
      suffix=" s"
      thousandSeparator=" "
      min={60}
      max={max}
      allowDecimal={false}
      clampBehavior="none"
      rightSection={<Text size="sm">{inWords(form.values[field])}</Text>}
      rightSectionWidth={110}
      rightSectionPointerEvents="none"
      {...form.getInputProps(field)}
    />
  );
  return (
    <Section title="General" about="A change counts from the next request on, on every node.">
      <form onSubmit={form.onSubmit((values) => void change.run(values))} noValidate>
        <fieldset disabled={!mayChange} style={{ border: 0, margin: 0, padding: 0, minWidth: 0 }}>
          <Stack>
            <TextInput label="Name" required maw={420} autoComplete="off" {...form.getInputProps('name')} />
            <SimpleGrid cols={{ base: 1, md: 2 }}>
              {seconds('Access tokens of people live', 'accessTokenSeconds', '60 s to a day', 86_400)}
              {seconds('Access tokens of tools live', 'toolTokenSeconds', '60 s to a day', 86_400)}
              {seconds('Refresh tokens end after', 'refreshTokenSeconds', 'From signing in, however often they are used', 34_560_000)}
              {seconds('Sessions end after', 'sessionSeconds', 'From signing in at the authority', 34_560_000)}
            </SimpleGrid>
            <NativeSelect
              label="Second factor after the password"
              maw={420}
              data={[
                { value: 'optional', label: 'For users who have set one up' },
                { value: 'forced', label: 'For everyone: who has none sets one up' },
                { value: 'disabled', label: 'For nobody' },
              ]}
              {...form.getInputProps('secondFactor')}
            />
            <Checkbox
              label="Tell users by mail of a sign-in in a browser that they had not used before"
              {...form.getInputProps('newDeviceMails', { type: 'checkbox' })}
            />
            <Checkbox
              label="App clients may sign people in on devices and command lines"
              {...form.getInputProps('deviceFlow', { type: 'checkbox' })}
            />
            <ProblemAlert problem={change.problem} fields={fields} />
            <Group role="status">
              {form.isDirty() && mayChange && (
                <>
                  <Button type="submit" size="xs" loading={change.pending}>
                    Save
                  </Button>
                  <Button size="xs" variant="default" onClick={() => form.reset()}>
                    Undo
                  </Button>
                </>
              )}
              {saved && <Text size="sm">Saved.</Text>}
            </Group>
          </Stack>
        </fieldset>
      </form>
    </Section>
  );
}
