/** The thread of learner.ts: answers one question after the other. */
import { parentPort } from 'node:worker_threads'
import { suggest } from './bayes.ts'
import { importances } from './importance.ts'
import type { Answer, Question } from './learner.ts'
import { readConfig } from './sweep-config.ts'

parentPort!.on('message', ({ id, question }: { id: number; question: Question }) => {
  parentPort!.postMessage(answerTo(id, question))
})

function answerTo(id: number, question: Question): Answer {
  try {
    return { id, value: valueOf(question) }
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

function valueOf(question: Question): unknown {
  switch (question.what) {
    case 'suggest': {
      const { parameters } = readConfig(question.config).config
      return suggest(parameters, question.trials, question.seed, question.number)
    }
    case 'importances':
      return importances(question.features, question.targets)
    default:
      return question satisfies never
  }
}
