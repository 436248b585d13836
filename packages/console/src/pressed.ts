/** Do these keys press a button? Then the page must not scroll for them. */
export function pressed(event: KeyboardEvent): boolean {
  const isPress = event.key === "Enter" || event.key === " ";
  if (isPress) event.preventDefault();
  return isPress;
}
