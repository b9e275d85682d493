// Sets the chosen theme before the first paint.
try {
  const theme = localStorage.getItem('taskhold-theme');
  if (theme) document.documentElement.dataset.theme = theme;
} catch {}
