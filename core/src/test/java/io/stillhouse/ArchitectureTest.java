package io.stillhouse;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static java.util.stream.Collectors.counting;
import static java.util.stream.Collectors.groupingBy;
import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.junit.LocationProvider;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.library.Architectures.LayeredArchitecture;
import io.stillhouse.config.Options;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** Checks which package may depend on which, and how large packages are. */
@AnalyzeClasses(locations = ArchitectureTest.MainClasses.class)
class ArchitectureTest {
  private static final int MAX_CLASSES = 20;

  /** The packages, with the subpackages of each, and the packages that they may depend on. */
  private static final Map<String, List<String>> MAY_DEPEND_ON =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry("error", List.of()),
              Map.entry("spec", List.of("error")),
              Map.entry("torch", List.of("spec", "error")),
              Map.entry("target", List.of("spec", "error")),
              Map.entry("config", List.of("spec", "error")),
              Map.entry("recipe", List.of("config", "target", "text", "spec", "error")),
              Map.entry("text", List.of("spec", "error")),
              Map.entry("augment", List.of("text", "spec", "error")),
              Map.entry("checkpoint", List.of("text", "torch", "spec", "error")),
              Map.entry("export", List.of("checkpoint", "model", "text", "torch", "spec", "error")),
              Map.entry("model", List.of("torch", "spec", "error")),
              Map.entry("codec", List.of("model", "target", "torch", "spec", "error")),
              Map.entry("loss", List.of("codec", "model", "torch", "spec", "error")),
              Map.entry(
                  "evaluate",
                  List.of("loss", "codec", "model", "target", "torch", "spec", "error")),
              Map.entry(
                  "train",
                  List.of(
                      "config",
                      "evaluate",
                      "loss",
                      "codec",
                      "model",
                      "checkpoint",
                      "target",
                      "torch",
                      "spec",
                      "error"))));

  @ArchTest
  static final ArchRule coreDoesNotDependOnACluster =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "org.apache.spark..", "org.apache.hadoop..", "org.apache.parquet..", "scala..");

  @ArchTest
  static final ArchRule specsTargetsAndSettingsDoNotUseTensors =
      noClasses()
          .that()
          .resideInAnyPackage(
              "io.stillhouse.error..",
              "io.stillhouse.spec..",
              "io.stillhouse.target..",
              "io.stillhouse.config..",
              "io.stillhouse.recipe..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("ai.djl..");

  /** See {@code Autograd.multiply}: the graph would keep a pointer into Java's memory. */
  @ArchTest
  static final ArchRule tensorsAreNotMultipliedByJavaNumbers =
      noClasses()
          .should()
          .callMethod(NDArray.class, "mul", Number.class)
          .orShould()
          .callMethod(NDArray.class, "div", Number.class)
          .orShould()
          .callMethod(NDArray.class, "pow", Number.class)
          .orShould()
          .callMethod(NDArray.class, "maximum", Number.class)
          .orShould()
          .callMethod(NDArray.class, "minimum", Number.class);

  @ArchTest
  static final ArchRule packagesFormNoCycle =
      slices().matching("io.stillhouse.(**)").should().beFreeOfCycles();

  @ArchTest static final ArchRule packagesDependOnLowerOnesOnly = layers();

  private static LayeredArchitecture layers() {
    LayeredArchitecture layers = layeredArchitecture().consideringOnlyDependenciesInLayers();
    for (String name : MAY_DEPEND_ON.keySet()) {
      layers = layers.layer(name).definedBy("io.stillhouse." + name + "..");
    }
    for (Map.Entry<String, List<String>> layer : MAY_DEPEND_ON.entrySet()) {
      layers =
          layer.getValue().isEmpty()
              ? layers.whereLayer(layer.getKey()).mayNotAccessAnyLayer()
              : layers
                  .whereLayer(layer.getKey())
                  .mayOnlyAccessLayers(layer.getValue().toArray(String[]::new));
    }
    return layers;
  }

  @ArchTest
  static void everyPackageBelongsToLayer(JavaClasses classes) {
    assertThat(classes)
        .allSatisfy(
            type -> assertThat(MAY_DEPEND_ON).containsKey(type.getPackageName().split("\\.")[2]));
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
      return Set.of(Location.of(Options.class.getProtectionDomain().getCodeSource().getLocation()));
    }
  }
}
