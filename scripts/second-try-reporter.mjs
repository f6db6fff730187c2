/** Names the tests that passed only when tried again: each is a defect to be searched for, not a pass to be proud of. */
export default class SecondTryReporter {
  #names = []

  onTestCaseResult(test) {
    if (test.diagnostic()?.flaky) this.#names.push(`${test.module.relativeModuleId}: ${test.fullName}`)
  }

  onTestRunEnd() {
    if (this.#names.length > 0)
      console.log(`\nPassed only on the second try:\n${this.#names.map((name) => `  ${name}`).join('\n')}`)
  }
}
