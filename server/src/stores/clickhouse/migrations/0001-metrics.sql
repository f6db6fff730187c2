-- Every logged line arrives here once and is spread over lines, points and keys by materialised views, so a batch is
-- parsed once. The table itself keeps nothing. Each view costs an insert some milliseconds, however few rows it has;
-- objects are rarer and go to their table directly.
CREATE TABLE IF NOT EXISTS arrivals
(
  experiment UUID,
  stream Enum8('history' = 1, 'system' = 2),
  line UInt32,
  step Int64,
  runtime Float64,
  timestamp Float64,
  version UInt64,
  raw String,
  keys Array(LowCardinality(String)),
  values Array(Float64)
)
ENGINE = Null;

-- Lines as they came. A line sent again has a higher version and replaces the old one.
CREATE TABLE IF NOT EXISTS lines
(
  experiment UUID,
  stream Enum8('history' = 1, 'system' = 2),
  line UInt32 CODEC(Delta, LZ4),
  step Int64 CODEC(Delta, LZ4),
  runtime Float64,
  timestamp Float64,
  version UInt64 CODEC(Delta, LZ4),
  raw String CODEC(ZSTD(1)),
  INDEX step_range step TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (experiment, stream, line);

CREATE MATERIALIZED VIEW IF NOT EXISTS lines_of_arrivals TO lines AS
SELECT experiment, stream, line, step, runtime, timestamp, version, raw FROM arrivals;

-- One row per number. `version` is that of its line: a point whose line has a newer version was replaced.
CREATE TABLE IF NOT EXISTS points
(
  experiment UUID,
  stream Enum8('history' = 1, 'system' = 2),
  key LowCardinality(String),
  line UInt32 CODEC(Delta, LZ4),
  step Int64 CODEC(Delta, LZ4),
  runtime Float64 CODEC(Delta, ZSTD(1)),
  timestamp Float64 CODEC(Delta, ZSTD(1)),
  value Float64,
  version UInt64 CODEC(Delta, LZ4),
  INDEX step_range step TYPE minmax GRANULARITY 1,
  INDEX runtime_range runtime TYPE minmax GRANULARITY 1,
  INDEX timestamp_range timestamp TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (experiment, stream, key, line);

CREATE MATERIALIZED VIEW IF NOT EXISTS points_of_arrivals TO points AS
SELECT experiment, stream, key, line, step, runtime, timestamp, value, version
FROM arrivals ARRAY JOIN keys AS key, values AS value;

-- Everything logged that is no number: strings, lists, media, tables.
CREATE TABLE IF NOT EXISTS objects
(
  experiment UUID,
  stream Enum8('history' = 1, 'system' = 2),
  key LowCardinality(String),
  line UInt32 CODEC(Delta, LZ4),
  step Int64 CODEC(Delta, LZ4),
  timestamp Float64,
  type LowCardinality(String),
  json String CODEC(ZSTD(1)),
  version UInt64 CODEC(Delta, LZ4)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (experiment, stream, key, line);

-- What an experiment ever logged, by key. Lines are counted in a bitmap, so counting one twice changes nothing; the
-- newest value is that of the highest (line, version), packed into one integer. `rows_max` counts resent lines again: an
-- upper bound. The extents say where a curve may lie without looking at its points.
CREATE TABLE IF NOT EXISTS keys
(
  experiment UUID,
  stream Enum8('history' = 1, 'system' = 2),
  kind Enum8('number' = 1, 'object' = 2),
  key LowCardinality(String),
  lines AggregateFunction(groupBitmap, UInt32),
  last_step AggregateFunction(argMax, Int64, UInt128),
  last_number AggregateFunction(argMax, Float64, UInt128),
  last_type AggregateFunction(argMax, String, UInt128),
  rows_max SimpleAggregateFunction(sum, UInt64),
  step_low SimpleAggregateFunction(min, Float64),
  step_high SimpleAggregateFunction(max, Float64),
  runtime_low SimpleAggregateFunction(min, Float64),
  runtime_high SimpleAggregateFunction(max, Float64),
  timestamp_low SimpleAggregateFunction(min, Float64),
  timestamp_high SimpleAggregateFunction(max, Float64)
)
ENGINE = AggregatingMergeTree
ORDER BY (experiment, stream, kind, key);

CREATE MATERIALIZED VIEW IF NOT EXISTS keys_of_arrivals TO keys AS
WITH bitShiftLeft(toUInt128(line), 64) + version AS place
SELECT
  experiment, stream, CAST('number', 'Enum8(\'number\' = 1, \'object\' = 2)') AS kind, key,
  groupBitmapState(line) AS lines,
  argMaxState(step, place) AS last_step,
  argMaxState(value, place) AS last_number,
  argMaxState('number', place) AS last_type,
  count() AS rows_max,
  min(toFloat64(step)) AS step_low, max(toFloat64(step)) AS step_high,
  min(if(isFinite(runtime), runtime, inf)) AS runtime_low, max(if(isFinite(runtime), runtime, -inf)) AS runtime_high,
  min(if(isFinite(timestamp), timestamp, inf)) AS timestamp_low,
  max(if(isFinite(timestamp), timestamp, -inf)) AS timestamp_high
FROM arrivals ARRAY JOIN keys AS key, values AS value
GROUP BY experiment, stream, key;

CREATE MATERIALIZED VIEW IF NOT EXISTS keys_of_objects TO keys AS
WITH bitShiftLeft(toUInt128(line), 64) + version AS place
SELECT
  experiment, stream, CAST('object', 'Enum8(\'number\' = 1, \'object\' = 2)') AS kind, key,
  groupBitmapState(line) AS lines,
  argMaxState(step, place) AS last_step,
  argMaxState(nan, place) AS last_number,
  argMaxState(toString(type), place) AS last_type,
  count() AS rows_max,
  min(toFloat64(step)) AS step_low, max(toFloat64(step)) AS step_high,
  inf AS runtime_low, -inf AS runtime_high,
  min(if(isFinite(timestamp), timestamp, inf)) AS timestamp_low,
  max(if(isFinite(timestamp), timestamp, -inf)) AS timestamp_high
FROM objects
GROUP BY experiment, stream, key;

CREATE TABLE IF NOT EXISTS console
(
  experiment UUID,
  line UInt32 CODEC(Delta, LZ4),
  time_ms Nullable(Int64),
  level LowCardinality(String),
  label LowCardinality(String),
  text String CODEC(ZSTD(1)),
  version UInt64 CODEC(Delta, LZ4)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (experiment, line);

-- Config, summary and built-in fields of experiments, one row each, for filter and sort. The key '' says that the
-- experiment exists, so filters on absent keys find it.
CREATE TABLE IF NOT EXISTS facts
(
  project UUID,
  key LowCardinality(String),
  experiment UUID,
  number Nullable(Float64),
  text Nullable(String),
  removed UInt8,
  version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (project, key, experiment);
