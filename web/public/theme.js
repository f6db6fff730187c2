// Runs before the first paint so that a dark page never flashes white. A file of its own, because the content
// security policy allows no inline script. `src/lib/theme.ts` owns the choice afterwards.
;(function () {
  var choice = null
  try {
    choice = localStorage.getItem('teamgrid.theme')
  } catch {
    // Storage may be forbidden; the system's choice is then good enough.
  }
  var dark = choice === 'dark' || (choice !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.dataset.theme = dark ? 'dark' : 'light'
})()
