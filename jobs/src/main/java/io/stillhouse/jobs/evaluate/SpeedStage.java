package io.stillhouse.jobs.evaluate;

import io.stillhouse.config.Options;
import io.stillhouse.config.Settings;
import io.stillhouse.jobs.spark.Progress;
import io.stillhouse.jobs.spark.RunningTasks;
import io.stillhouse.jobs.spark.Watch;
import io.stillhouse.recipe.Sweep;
import io.stillhouse.spec.ModelSpec;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;

/** Finds out how large and how fast models are, in one task while no other runs. */
final class SpeedStage {
  private static final List<Integer> LENGTHS = List.of(32, 128);

  private final SparkSession spark;
  private final SpeedTask task;

  /** A model to measure. */
  record Model(String name, String path, ModelSpec spec) {}

  private record Seeds(String group, ModelSpec spec) {}

  /**
   * @param models the teacher first
   */
  SpeedStage(SparkSession spark, Settings settings, List<Model> models) {
    this.spark = spark;
    List<Model> distinct = distinct(models);
    this.task =
        new SpeedTask(
            distinct.stream().map(Model::name).toList(),
            distinct.stream().map(Model::path).toList(),
            lengths(models),
            spark.sparkContext().conf().getInt("spark.task.cpus", 1),
            settings.get(Options.EVALUATE_SPEED_SECONDS));
  }

  /** Returns one of the students that differ in their seed alone, under the name they share. */
  static List<Model> distinct(List<Model> models) {
    Map<Record, List<Model>> alike = new LinkedHashMap<>();
    for (Model model : models) {
      Record shape =
          Sweep.seeded(model.name())
              .<Record>map(name -> new Seeds(name.group(), model.spec()))
              .orElse(model);
      alike.computeIfAbsent(shape, seeds -> new ArrayList<>()).add(model);
    }
    List<Model> distinct = new ArrayList<>();
    alike.forEach(
        (shape, members) -> {
          Model first = members.get(0);
          distinct.add(
              shape instanceof Seeds seeds && members.size() > 1
                  ? new Model(seeds.group(), first.path(), first.spec())
                  : first);
        });
    return distinct;
  }

  /** Returns the lengths, none of which is more than every model can read. */
  static List<Integer> lengths(List<Model> models) {
    int most = models.stream().mapToInt(model -> model.spec().maxTokens()).min().orElseThrow();
    return LENGTHS.stream().map(length -> Math.min(length, most)).distinct().toList();
  }

  /** Measures all; the teacher comes first. */
  List<Speed> run() {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    context.setJobGroup("speed", "%d models".formatted(task.models().size()), true);
    LongAccumulator done = spark.sparkContext().longAccumulator("measured turns");
    try (Progress progress = Progress.start("speed", task.turns(), "turns");
        RunningTasks running = new RunningTasks(spark.sparkContext(), done);
        Watch watch = new Watch(() -> progress.update(done.value() + running.sum()))) {
      return context
          .parallelize(List.of(task), 1)
          .flatMap(models -> models.run(() -> done.add(1)).iterator())
          .collect();
    }
  }
}
