package io.stillhouse.jobs;

import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static java.util.stream.Collectors.counting;
import static java.util.stream.Collectors.groupingBy;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.junit.LocationProvider;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.library.Architectures.LayeredArchitecture;
import io.stillhouse.jobs.train.TrainJob;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Checks which package may depend on which, and how large packages are. */
@AnalyzeClasses(locations = ArchitectureTest.MainClasses.class)
class ArchitectureTest {
  private static final int MAX_CLASSES = 20;

  /** What all commands share, lowest first: each may depend on those before it. */
  private static final List<String> SHARED =
      List.of(
          "chart",
          "monitor",
          "storage",
          "spark",
          "inference",
          "corpus",
          "cache.layout",
          "cache.read");

  /**
   * The commands, and the downloads that some begin with, each with the others whose code it calls.
   * All may depend on what is shared; only {@code cli} may depend on all of them.
   */
  private static final Map<String, List<String>> COMMANDS =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry("augment", List.of()),
              Map.entry("cache.build", List.of()),
              Map.entry("cache.check", List.of("cache.build")),
              Map.entry(
                  "distill",
                  List.of("cache.build", "evaluate", "export", "finetune", "plan", "train")),
              Map.entry("evaluate", List.of()),
              Map.entry("export", List.of("evaluate", "train")),
              Map.entry("finetune", List.of("cache.build", "train")),
              Map.entry("heads", List.of()),
              Map.entry("maven", List.of()),
              Map.entry("plan", List.of("cache.build", "train")),
              Map.entry("predict", List.of()),
              Map.entry("report", List.of("cache.check", "evaluate", "export", "train")),
              Map.entry("train", List.of("heads"))));

  /** Spark ML stages, which users call from their own pipelines, and no command does. */
  private static final String PIPELINES = "io.stillhouse.spark";

  /** What users call in notebooks, and no command does. */
  private static final String NOTEBOOK = "io.stillhouse.notebook";

  @ArchTest
  static final ArchRule packagesFormNoCycle =
      slices().matching("io.stillhouse.(**)").should().beFreeOfCycles();

  @ArchTest static final ArchRule packagesDependOnLowerOnesOnly = layers();

  private static LayeredArchitecture layers() {
    LayeredArchitecture layers =
        layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .layer("cli")
            .definedBy("io.stillhouse.jobs.cli..")
            .layer("pipelines")
            .definedBy(PIPELINES + "..")
            .layer("notebook")
            .definedBy(NOTEBOOK + "..");
    for (String name : SHARED) {
      layers = layers.layer(name).definedBy(packageOf(name));
    }
    for (String name : COMMANDS.keySet()) {
      layers = layers.layer(name).definedBy(packageOf(name));
    }
    layers = layers.whereLayer("cli").mayNotBeAccessedByAnyLayer();
    for (String name : List.of("pipelines", "notebook")) {
      layers = layers.whereLayer(name).mayNotBeAccessedByAnyLayer();
    }
    layers = mayOnlyAccess(layers, "pipelines", SHARED);
    List<String> ofNotebook = new ArrayList<>(SHARED);
    ofNotebook.addAll(List.of("evaluate", "train"));
    layers = mayOnlyAccess(layers, "notebook", ofNotebook);
    for (int at = 0; at < SHARED.size(); at++) {
      layers = mayOnlyAccess(layers, SHARED.get(at), SHARED.subList(0, at));
    }
    for (Map.Entry<String, List<String>> command : COMMANDS.entrySet()) {
      List<String> all = new ArrayList<>(SHARED);
      all.addAll(command.getValue());
      layers = mayOnlyAccess(layers, command.getKey(), all);
    }
    return layers;
  }

  private static String packageOf(String name) {
    return "io.stillhouse.jobs." + name + "..";
  }

  private static LayeredArchitecture mayOnlyAccess(
      LayeredArchitecture layers, String layer, List<String> others) {
    return others.isEmpty()
        ? layers.whereLayer(layer).mayNotAccessAnyLayer()
        : layers.whereLayer(layer).mayOnlyAccessLayers(others.toArray(String[]::new));
  }

  @ArchTest
  static void everyPackageBelongsToLayer(JavaClasses classes) {
    List<String> known = new ArrayList<>(SHARED);
    known.addAll(COMMANDS.keySet());
    known.add("cli");
    known.replaceAll(name -> "io.stillhouse.jobs." + name + ".");
    known.add(PIPELINES + ".");
    known.add(NOTEBOOK + ".");
    assertThat(classes)
        .allSatisfy(
            type ->
                assertThat(known).anyMatch(name -> (type.getPackageName() + ".").startsWith(name)));
  }

  @ArchTest
  static void packagesHaveAtMostTwentyClasses(JavaClasses classes) {
    Map<String, Long> sizes =
        classes.stream()
            .filter(JavaClass::isTopLevelClass)
            .filter(type -> !type.getSimpleName().equals("package-info"))
            .collect(groupingBy(JavaClass::getPackageName, TreeMap::new, counting()));
    assertThat(sizes).isNotEmpty();
    sizes.values().removeIf(size -> size <= MAX_CLASSES);
    assertThat(sizes).isEmpty();
  }

  /** The directory of the main classes, from which no test class is read. */
  static final class MainClasses implements LocationProvider {
    @Override
    public Set<Location> get(Class<?> test) {
      return Set.of(
          Location.of(TrainJob.class.getProtectionDomain().getCodeSource().getLocation()));
    }
  }
}
