package io.stillhouse.jobs.train.student;

import io.stillhouse.jobs.storage.Storage;
import io.stillhouse.spec.BiLstmSpec;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.EncoderSpec;
import io.stillhouse.spec.Head;
import io.stillhouse.spec.ModelSpec;
import io.stillhouse.spec.TrainSpec;
import io.stillhouse.target.MlmTargets;
import java.nio.charset.StandardCharsets;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Describes everything that a student's weights depend on, as canonical JSON, and hashes it. Thread
 * counts are left out, because a resumed run may have to change them.
 *
 * <p>Checkpoints and finished students carry the hash, so the text must not change with the code:
 * names are spelled out here rather than taken from records. A new setting must not change the text
 * of recipes that do not set it; otherwise {@link #VERSION} must be increased, and trainings of
 * older versions can no longer be resumed.
 */
final class StudentFingerprint {
  static final int VERSION = 1;

  private StudentFingerprint() {}

  /** Returns the SHA-256 of {@link #json}, in hexadecimal. */
  static String of(StudentRun run) {
    byte[] text = json(run).getBytes(StandardCharsets.UTF_8);
    return HexFormat.of().formatHex(Storage.digest().digest(text));
  }

  static String json(StudentRun run) {
    Map<String, Object> all = new HashMap<>();
    all.put("version", VERSION);
    all.put("model", model(run.model()));
    all.put("loss", loss(run.loss()));
    all.put("train", train(run.train(), run.paths().validation()));
    all.put("start", start(run.start()));
    all.put("targets", targets(run.paths().targetStorage()));
    all.put("cache", run.paths().cacheFingerprints());
    all.put("teachers", teachers(run.paths().joined()));
    return CanonicalJson.write(all);
  }

  private static Map<String, Object> model(ModelSpec model) {
    return model instanceof EncoderSpec encoder ? encoder(encoder) : biLstm((BiLstmSpec) model);
  }

  private static Map<String, Object> encoder(EncoderSpec model) {
    Map<String, Object> json = new HashMap<>();
    json.put("architecture", word(model.architecture()));
    json.put("embedding-size", model.embeddingSize());
    json.put("vocab-size", model.embeddings().vocabSize());
    json.put("max-positions", model.embeddings().maxPositions());
    json.put("segments", model.embeddings().typeVocabSize());
    json.put("pad-token", model.embeddings().padTokenId());
    json.put("layers", model.blocks().layers());
    json.put("hidden-size", model.blocks().hiddenSize());
    json.put("heads", model.blocks().heads());
    json.put("intermediate-size", model.blocks().intermediateSize());
    json.put("activation", model.blocks().activation().id());
    json.put("layer-norm-epsilon", model.numerics().layerNormEps());
    json.put("hidden-dropout", model.numerics().hiddenDropout());
    json.put("attention-dropout", model.numerics().attentionDropout());
    json.put("classifier-dropout", model.numerics().classifierDropout());
    json.put("head", head(model.head()));
    return json;
  }

  private static Map<String, Object> biLstm(BiLstmSpec model) {
    Map<String, Object> json = new HashMap<>();
    json.put("architecture", "bilstm");
    json.put("vocab-size", model.words().vocabSize());
    json.put("vector-size", model.words().vectorSize());
    json.put("hidden-size", model.units().hiddenSize());
    json.put("intermediate-size", model.units().intermediateSize());
    json.put("dropout", model.dropout());
    json.put("texts", word(model.texts()));
    json.put("head", head(model.head()));
    return json;
  }

  private static Map<String, Object> head(Head head) {
    return Map.of("task", word(head.task()), "labels", head.labels());
  }

  private static Map<String, Object> loss(DistillSpec loss) {
    Map<String, Object> json = new HashMap<>();
    json.put("layer-map", loss.layerMap());
    json.put(
        "soft-label",
        Map.of(
            "weight", loss.softLabel().weight(),
            "kind", word(loss.softLabel().kind()),
            "temperature", loss.softLabel().temperature(),
            "positions", word(loss.softLabel().positions())));
    json.put(
        "hard-label",
        Map.of("weight", loss.hard().weight(), "class-weights", loss.hard().classWeights()));
    json.put(
        "hidden",
        Map.of(
            "cosine", loss.hidden().cosine(),
            "cosine-layers", word(loss.hidden().cosineLayers()),
            "mse", loss.hidden().mse(),
            "embedding-mse", loss.hidden().embeddingMse(),
            "first-token-mse", loss.hidden().firstTokenMse(),
            "projection", word(loss.hidden().projection())));
    json.put("attention-mse", loss.attentionMse());
    json.put(
        "relations",
        Map.of(
            "attention", loss.relations().attention(),
            "query", loss.relations().query(),
            "key", loss.relations().key(),
            "value", loss.relations().value(),
            "heads", loss.relations().heads(),
            "blocks", word(loss.relations().blocks())));
    return json;
  }

  private static Map<String, Object> train(TrainSpec train, @Nullable String validation) {
    Map<String, Object> json = new HashMap<>();
    json.put("epochs", train.epochs());
    json.put("batch-size", train.batching().batchSize());
    json.put("micro-batch-tokens", train.batching().microBatchTokens());
    json.put("shuffle-shards", train.batching().shuffleShards());
    json.put("order", word(train.batching().order()));
    json.put("optimizer", optimizer(train.optimizer()));
    json.put("seed", train.run().seed());
    json.put("max-steps", train.run().maxSteps());
    json.put("precision", word(train.run().precision()));
    if (train.rounds().used()) {
      json.put("rounds", rounds(train.rounds()));
    }
    if (train.selection().keep() != TrainSpec.Keep.LAST) {
      json.put("selection", selection(train.selection(), validation));
    }
    return json;
  }

  private static Map<String, Object> optimizer(TrainSpec.Optimizer optimizer) {
    return Map.of(
        "learning-rate", optimizer.learningRate(),
        "warmup-steps", optimizer.warmupSteps(),
        "beta-1", optimizer.betas().first(),
        "beta-2", optimizer.betas().second(),
        "epsilon", optimizer.betas().epsilon(),
        "weight-decay", optimizer.weightDecay(),
        "max-grad-norm", optimizer.maxGradNorm());
  }

  private static Map<String, Object> rounds(TrainSpec.Rounds rounds) {
    Map<String, Object> json = new HashMap<>();
    json.put("workers", rounds.workers());
    json.put("steps", rounds.steps());
    json.put("outer-learning-rate", rounds.outer().learningRate());
    json.put("outer-momentum", rounds.outer().momentum());
    json.put("max-bad", rounds.outer().maxBad());
    json.put("moments", word(rounds.inner().moments()));
    json.put("inner-warmup", rounds.inner().warmup());
    json.put("delta", word(rounds.inner().delta()));
    json.put("lookahead", rounds.lookahead());
    return json;
  }

  private static Map<String, Object> selection(
      TrainSpec.Selection selection, @Nullable String validation) {
    Map<String, Object> json = new HashMap<>();
    json.put("keep", word(selection.keep()));
    json.put("by", selection.by());
    json.put("every-steps", selection.evalEvery());
    json.put("patience", selection.patience());
    json.put("validation", validation);
    return json;
  }

  private static Map<String, Object> start(StudentRun.Start start) {
    Map<String, Object> json = new HashMap<>();
    json.put("directory", start.directory());
    json.put("blocks", start.blocks());
    json.put("pruned-heads", start.pruned().blocks());
    json.put("student", start.sourceFingerprint());
    return json;
  }

  private static Map<String, Object> targets(StudentRun.TargetStorage storage) {
    MlmTargets mlm = storage.mlm();
    return Map.of(
        "mlm",
        Map.of(
            "kind", word(mlm.kind()),
            "count", mlm.count(),
            "temperatures", mlm.temperatures(),
            "positions", word(mlm.positions())),
        "scores",
        word(storage.scores()));
  }

  private static Map<String, Object> teachers(JoinedTeachers joined) {
    List<Map<String, Object>> additional =
        joined.additional().stream()
            .<Map<String, Object>>map(
                each ->
                    Map.of(
                        "weight", each.weight(),
                        "loss", loss(each.loss()),
                        "cache", each.source().fingerprints()))
            .toList();
    return Map.of(
        "weight",
        joined.weight(),
        "further",
        additional,
        "rows-left-out",
        joined.leftOut().stream().map(StudentFingerprint::positions).toList());
  }

  private static List<Integer> positions(BitSet rows) {
    return rows.stream().boxed().toList();
  }

  /** Returns the word that recipes and messages use for a constant. */
  private static String word(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
