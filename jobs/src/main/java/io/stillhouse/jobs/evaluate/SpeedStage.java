package io.stillhouse.jobs.evaluate;

import static io.stillhouse.error.Text.format;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.inference.ModelLocation;
import io.stillhouse.jobs.spark.Progress;
import io.stillhouse.jobs.spark.TrackedJob;
import io.stillhouse.recipe.Sweep;
import io.stillhouse.spec.ModelSpec;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;

/** Measures the size and speed of models in one Spark task, while no other task runs. */
final class SpeedStage {
  private static final List<Integer> LENGTHS = List.of(32, 128);

  private final SparkSession spark;
  private final SpeedTask task;

  /** A model to measure. */
  record Model(String name, ModelLocation location, ModelSpec spec) {}

  private record Seeds(String group, ModelSpec spec) {}

  /**
   * @param models the models, the teacher first
   */
  SpeedStage(SparkSession spark, Settings settings, List<Model> models) {
    this.spark = spark;
    List<Model> distinct = distinct(models);
    this.task =
        new SpeedTask(
            distinct.stream().map(Model::name).toList(),
            distinct.stream().map(Model::location).toList(),
            lengths(models),
            spark.sparkContext().conf().getInt("spark.task.cpus", 1),
            settings.get(Options.EVALUATE_SPEED_SECONDS));
  }

  /** Keeps one of the students that differ only in their seed, under their shared name. */
  static List<Model> distinct(List<Model> models) {
    Map<Record, List<Model>> byShape = new LinkedHashMap<>();
    for (Model model : models) {
      Record shape =
          Sweep.seeded(model.name())
              .<Record>map(name -> new Seeds(name.group(), model.spec()))
              .orElse(model);
      byShape.computeIfAbsent(shape, seeds -> new ArrayList<>()).add(model);
    }
    List<Model> distinct = new ArrayList<>();
    byShape.forEach(
        (shape, members) -> {
          Model first = members.get(0);
          distinct.add(
              shape instanceof Seeds seeds && members.size() > 1
                  ? new Model(seeds.group(), first.location(), first.spec())
                  : first);
        });
    return distinct;
  }

  /** Returns the lengths to measure, limited to what every model can read. */
  static List<Integer> lengths(List<Model> models) {
    int maxTokens = models.stream().mapToInt(model -> model.spec().maxTokens()).min().orElseThrow();
    return LENGTHS.stream().map(length -> Math.min(length, maxTokens)).distinct().toList();
  }

  /** Measures all models; the teacher comes first. */
  List<Speed> run() {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    try (TrackedJob job =
        TrackedJob.start(spark, "speed", format("%d models", task.models().size()))) {
      LongAccumulator done =
          job.count("measured turns", Progress.start("speed", task.turns(), "turns"));
      return job.run(
          () ->
              context
                  .parallelize(List.of(task), 1)
                  .flatMap(models -> models.run(() -> done.add(1)).iterator())
                  .collect());
    }
  }
}
