import type { ReactNode } from 'react';
import { ActionIcon, Button, Fieldset, Group, Stack, Text, TextInput } from '@mantine/core';
import { PlusIcon, TrashIcon } from '@radix-ui/react-icons';

export interface AddressFieldsProps {
  legend: string;
  about: ReactNode;
  /** What one of them is called, with its article. */
  one: `${'a' | 'an'} ${string}`;
  placeholder: string;
  value: string[];
  onChange: (value: string[]) => void;
  /** Faults of the form by path; those of this list are at `<name>.<index>`. */
  errors: Record<string, ReactNode>;
  name: string;
}

/** A list of addresses, each in a field of its own with its own fault. */
export function AddressFields({ legend, about, one, placeholder, value, onChange, errors, name }: AddressFieldsProps) {
  const noun = one.slice(one.indexOf(' ') + 1);
  return (
    <Fieldset legend={legend} variant="unstyled">
      <Stack gap="xs" align="flex-start">
        <Text size="sm" c="dimmed">
          {about}
        </Text>
        {value.map((address, index) => (
          <Group key={index} gap="xs" wrap="nowrap" align="flex-start" w="100%">
            <TextInput
              flex={1}
              aria-label={`${noun} ${index + 1}`}
              data-path={`${name}.${index}`}
              type="url"
              placeholder={placeholder}
              value={address}
              error={errors[`${name}.${index}`]}
              onChange={(event) => onChange(value.with(index, event.currentTarget.value))}
            />
            <ActionIcon
              variant="subtle"
              color="gray"
              c="dimmed"
              size={36}
              aria-label={`Remove ${noun} ${index + 1}`}
              onClick={() => onChange(value.toSpliced(index, 1))}
            >
              <TrashIcon />
            </ActionIcon>
          </Group>
        ))}
        <Button variant="subtle" size="xs" px={6} ml={-6} leftSection={<PlusIcon />} onClick={() => onChange([...value, ''])}>
          Add {value.length === 0 ? one : 'another'}
        </Button>
      </Stack>
    </Fieldset>
  );
}
