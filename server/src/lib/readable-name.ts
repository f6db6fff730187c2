import { randomInt } from 'node:crypto'

const adjectives = (
  'amber ancient autumn balanced bold brave breezy bright brisk calm careful cheerful clear clever cosmic crimson crisp ' +
  'curious daring dashing dawn deep distant divine eager early earnest easy electric elegant fair faithful fancy fast ' +
  'fearless fine fluent fresh frosty gallant gentle glad gleaming glowing golden good graceful grand happy hardy ' +
  'helpful honest humble icy jolly joyful keen kind lemon light likely lively logical lucky lunar mellow merry mild ' +
  'misty modest morning neat nimble noble olive open patient peachy playful pleasant polished polite proud pure quick ' +
  'quiet radiant rare ready resilient rich robust rosy royal sage scarlet serene sharp shining silver smart smooth ' +
  'snowy solar solid sparkling spring stellar still summer sunny super swift tidy tranquil treasured true upbeat ' +
  'valiant vibrant vivid warm wild winter wise wistful worthy young zesty'
).split(' ')

const animals = (
  'albatross alpaca ant antelope badger bat bear beaver bee beetle bison bobcat buck buffalo butterfly camel capybara ' +
  'cat chamois cheetah cicada cod condor cormorant cougar coyote crab crane cricket crow deer dingo dog dolphin donkey ' +
  'dove dragonfly duck eagle eel egret elephant elk emu falcon ferret finch firefly flamingo fox frog gazelle gecko ' +
  'gibbon giraffe goat goose gorilla grouse gull hamster hare hawk hedgehog heron hornet horse hummingbird ibex ibis ' +
  'iguana impala jackal jaguar jay kestrel kingfisher koala kookaburra lark lemur leopard lion lizard llama lobster ' +
  'lynx macaw magpie mallard manatee marmot marten meerkat mole mongoose moose moth mouse narwhal newt nightingale ' +
  'octopus okapi oriole osprey ostrich otter owl ox oyster panda panther parrot partridge pelican penguin pheasant ' +
  'pigeon pika plover pony porcupine puffin puma quail rabbit raccoon ram raven reindeer robin salamander salmon ' +
  'sandpiper seahorse seal shark sheep skylark sloth snail sparrow spider squid squirrel starling stork swallow swan ' +
  'swift tapir tern tiger toad toucan trout turtle viper vole walrus wasp weasel whale wolf wolverine wombat ' +
  'woodpecker wren yak zebra'
).split(' ')

/** A name people can say and remember, such as `swift-otter-12`. The number makes it unique where it counts. */
export function readableName(number: number, pick: (count: number) => number = randomInt): string {
  return `${adjectives[pick(adjectives.length)]}-${animals[pick(animals.length)]}-${number}`
}
