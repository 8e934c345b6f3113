package io.stillhouse.jobs.cache.build;

import io.stillhouse.jobs.cache.layout.CacheFile;
import io.stillhouse.jobs.cache.layout.CachePlan;
import io.stillhouse.jobs.cache.layout.CacheState;
import io.stillhouse.jobs.cache.layout.CheckedFile;
import io.stillhouse.jobs.cache.layout.PlanPart;
import io.stillhouse.jobs.corpus.InputRow;
import io.stillhouse.jobs.corpus.InvalidRows;
import io.stillhouse.jobs.storage.ParquetRows;
import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.target.Targets;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.Path;

/**
 * The rows of a cache without targets. The plan has their numbers; examples are read from the
 * inputs of the shards that have such rows.
 */
record CacheInvalidRows(Storage storage, Path cache, CachePlan plan) {
  /** The maximum number of shards whose inputs are read for examples. */
  private static final int MOST_SHARDS = 64;

  private static final String NO_EXAMPLE = "(not read)";

  InvalidRows of(CacheState state, String teacher) throws IOException {
    InvalidRows examples = examples(state);
    Map<String, InvalidRows.Kind> kinds = new TreeMap<>();
    plan.corpus()
        .invalid()
        .forEach(
            (reason, rows) -> {
              InvalidRows.Kind read = examples.kinds().get(reason);
              kinds.put(
                  reason, new InvalidRows.Kind(rows, read == null ? NO_EXAMPLE : read.example()));
            });
    InvalidRows invalid = new InvalidRows(kinds);
    for (PlanPart.Shard shard : plan.shards()) {
      for (Map.Entry<String, String> row : state.invalid(shard.shard(), teacher).entrySet()) {
        invalid = invalid.plus(InvalidRows.of(row.getValue(), 1, row.getKey()));
      }
    }
    return invalid;
  }

  private InvalidRows examples(CacheState state) throws IOException {
    InvalidRows examples = InvalidRows.NONE;
    int read = 0;
    for (PlanPart.Shard shard : plan.shards()) {
      CacheFile inputs = shard.invalid() == 0 ? null : state.inputs(shard.shard()).orElse(null);
      if (inputs != null && read++ < MOST_SHARDS) {
        examples =
            examples.plus(
                InvalidRows.of(
                    ParquetRows.read(
                            new CheckedFile(storage, cache, inputs),
                            Targets.INPUTS,
                            storage.hadoop())
                        .stream()
                        .map(InputRow::of)
                        .iterator()));
      }
    }
    return examples;
  }
}
