const key = 'latchkey.tenant';

/** Which of the person's tenants this tab is about, by its id; the one that they joined first while none is chosen. */
export const chosenTenant = {
  get: () => sessionStorage.getItem(key),
  set: (id: string) => sessionStorage.setItem(key, id),
  forget: () => sessionStorage.removeItem(key),
};
