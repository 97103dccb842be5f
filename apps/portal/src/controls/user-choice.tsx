import { useState } from 'react';
import { useUsers, useUser, type User } from '../api/queries.ts';
import { SearchedSelect } from './searched-select.tsx';

export interface UserChoiceProps {
  slug: string;
  label: string;
  description?: string;
  id: number | null;
  onChoose: (id: number | null) => void;
  /** What no choice means; without it there is always one. */
  none?: string;
}

/** One of the users of a repository. */
export function UserChoice({ slug, id, onChoose, ...props }: UserChoiceProps) {
  const [search, setSearch] = useState('');
  const found = useUsers(slug, search);
  const chosen = useUser(slug, id).data;
  return (
    <SearchedSelect
      {...props}
      chosen={id === null ? null : chosen ? optionOf(chosen) : { value: String(id), label: `User ${id}` }}
      onChoose={(value) => onChoose(value === null ? null : Number(value))}
      onSearch={setSearch}
      found={{ ...found, items: found.items?.map(optionOf) }}
      nothing="No user is called that"
    />
  );
}

const optionOf = ({ id, name, loginName }: User) => ({ value: String(id), label: `${name} (${loginName})` });
