package io.stillhouse.jobs.plan;

import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.target.Column;
import io.stillhouse.target.Dtype;
import io.stillhouse.target.Family;
import io.stillhouse.target.MlmTargets;
import io.stillhouse.target.TargetChoice;
import io.stillhouse.target.Targets;
import java.util.Collection;
import java.util.List;
import java.util.Map;

/**
 * Estimates how many bytes targets take in the cache of a corpus. Columns that the probe has
 * measured are scaled by the sum that they grow with; the size of other columns is computed, before
 * Parquet compresses them.
 *
 * @param probe bytes of the probe's cache
 * @param probed sums over the rows of the probe's cache
 * @param inputs bytes of the sample's rows in shards of the recipe's size
 * @param sampled sums over the rows of the sample
 * @param corpus sums over the rows of the corpus
 */
record TargetSizes(
    StoredBytes probe, Lengths probed, StoredBytes inputs, Lengths sampled, Lengths corpus) {
  private static final int SMALL_VOCABULARY = 1 << 16;
  private static final String INPUTS = Family.INPUTS.id() + "/";

  /** Returns the bytes of the whole cache, without the copy of the teacher. */
  double cache(double shardTokens, int probeShards) {
    // The size of footers, manifest and plan is proportional to the number of shards.
    double all = inputsOfCorpus() + (double) probe.others() / probeShards * shards(shardTokens);
    for (String name : probe.columns().keySet()) {
      all += name.startsWith(INPUTS) ? 0 : measuredBytes(name);
    }
    return all;
  }

  /** Returns the number of shards of the corpus. */
  int shards(double shardTokens) {
    return (int) Math.ceil(corpus.tokens() / shardTokens);
  }

  /** Returns the bytes of rows of ids and labels. */
  double inputsOfCorpus() {
    double bytes = inputs.columns().values().stream().mapToDouble(Long::doubleValue).sum();
    return bytes * corpus.tokens() / sampled.tokens();
  }

  /** Returns the bytes that a student reads of the whole cache, including keys and inputs. */
  double read(Collection<Column> columns) {
    return inputsOfCorpus() + columns.stream().mapToDouble(c -> measuredBytes(name(c))).sum();
  }

  /** Returns the bytes that a student reads of the probe's cache, including keys and inputs. */
  double readOfProbe(Collection<Column> columns) {
    double bytes = 0;
    for (Map.Entry<String, Long> column : probe.columns().entrySet()) {
      if (column.getKey().startsWith(INPUTS)
          || columns.stream().anyMatch(c -> name(c).equals(column.getKey()))) {
        bytes += column.getValue();
      }
    }
    return bytes;
  }

  private static String name(Column column) {
    return column.family().id() + "/" + column.name();
  }

  double measuredBytes(Column column) {
    return measuredBytes(name(column));
  }

  private double measuredBytes(String name) {
    return probe.columns().getOrDefault(name, 0L) * growth(name, corpus) / growth(name, probed);
  }

  /** Returns the sum to which a column's bytes are proportional. */
  private static double growth(String name, Lengths lengths) {
    String column = name.substring(name.indexOf('/') + 1);
    if (List.of(Targets.ID.name(), Targets.LENGTH.name(), Targets.LOGITS.name()).contains(column)) {
      return lengths.rows();
    }
    return name.startsWith(Family.ATTENTION.id() + "/") ? lengths.squares() : lengths.tokens();
  }

  /**
   * Returns the bytes of a choice's tensors, as measured for columns that the probe's cache has.
   *
   * @param stored the choice of the probe's cache
   */
  double tensors(
      TargetChoice choice, TargetChoice stored, EncoderSpec teacher, double maskProbability) {
    double bytes = 0;
    for (Column column : choice.all()) {
      boolean isStored = choice.dtype() == stored.dtype() && stored.all().contains(column);
      bytes +=
          isStored ? measuredBytes(column) : computed(column, choice, teacher, maskProbability);
    }
    return bytes;
  }

  /** Returns the bytes of a column before compression; for sampled soft labels, an upper bound. */
  double computed(Column column, TargetChoice choice, EncoderSpec teacher, double maskProbability) {
    Dtype dtype = choice.dtype();
    if (column.family() == Family.HIDDEN) {
      return corpus.tokens() * dtype.bytes(1, teacher.hiddenSize());
    }
    if (column.family() == Family.ATTENTION) {
      double scale = dtype.bytes(1, 1) - dtype.bytes(); // of each line
      return teacher.heads() * (corpus.squares() * dtype.bytes() + corpus.tokens() * scale);
    }
    if (column.equals(Targets.LOGITS)) {
      return corpus.sound() * Dtype.FLOAT32.bytes(1, teacher.head().outputs());
    }
    MlmTargets mlm = choice.mlm();
    boolean masked = mlm.positions() == DistillSpec.Positions.MASKED;
    double tokens = corpus.tokens() * (masked ? maskProbability : 1);
    int vocabulary = teacher.embeddings().vocabSize();
    return tokens
        * switch (column.type()) {
          case CELL -> dtype.bytes(1, vocabulary);
          case TOKEN_IDS -> mlm.count() * (vocabulary <= SMALL_VOCABULARY ? 2 : 4);
          case UNSCALED -> mlm.count() * column.dtype(dtype).bytes();
          case UINT8 -> mlm.count();
          case FLOAT32 -> Dtype.FLOAT32.bytes();
          case STRING, INT, DOUBLE, IDS -> throw new IllegalStateException(column.name());
        };
  }
}
