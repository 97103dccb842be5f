import { Checkbox, SimpleGrid } from '@mantine/core';

export interface PermissionsFieldProps {
  label: string;
  description?: string;
  all: readonly string[];
  value: string[];
  onChange: (value: string[]) => void;
  error?: string | undefined;
}

const words: Record<string, string> = {
  'content:read': 'Read content',
  'content:write': 'Change content',
  'users:read': 'Read users',
  'users:write': 'Change users',
  'clients:manage': 'Manage clients and secrets',
  'api-keys:manage': 'Manage API keys',
  'tenant:read': 'Read the tenant',
  'tenant:write': 'Change the tenant',
  'members:read': 'Read members',
  'members:write': 'Invite and change members',
  'repositories:read': 'Read repositories',
  'repositories:write': 'Create, change and delete repositories',
  'clients:write': 'Change clients and their secrets',
  'webhooks:write': 'Change webhooks',
  'credentials:write': 'Manage credentials of the tenant',
  'audit:read': 'Read the audit trail',
};

/** Which of the permissions there are. */
export function PermissionsField({ label, description, all, value, onChange, error }: PermissionsFieldProps) {
  return (
    <Checkbox.Group label={label} description={description} value={value} onChange={onChange} error={error}>
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="xs" mt="xs">
        {all.map((permission) => (
          <Checkbox key={permission} value={permission} label={words[permission] ?? permission} description={permission} />
        ))}
      </SimpleGrid>
    </Checkbox.Group>
  );
}
