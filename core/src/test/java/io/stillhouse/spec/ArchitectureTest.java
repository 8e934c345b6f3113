package io.stillhouse.spec;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import ai.djl.ndarray.NDArray;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** Which package may know which. */
@AnalyzeClasses(packages = "io.stillhouse", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
  @ArchTest
  static final ArchRule coreKnowsNoCluster =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "org.apache.spark..", "org.apache.hadoop..", "org.apache.parquet..", "scala..");

  @ArchTest
  static final ArchRule specsTargetsAndSettingsKnowNoTensors =
      noClasses()
          .that()
          .resideInAnyPackage(
              "io.stillhouse.error..",
              "io.stillhouse.spec..",
              "io.stillhouse.target..",
              "io.stillhouse.config..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("ai.djl..");

  /** See {@code Autograd.times}: the graph would keep a pointer into Java's memory. */
  @ArchTest
  static final ArchRule nothingMultipliesByJavaNumbers =
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
      slices().matching("io.stillhouse.(*)..").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule arrowsGoOneWay =
      layeredArchitecture()
          .consideringOnlyDependenciesInLayers()
          .layer("stages")
          .definedBy("io.stillhouse.train..", "io.stillhouse.evaluate..")
          .layer("parts")
          .definedBy(
              "io.stillhouse.loss..",
              "io.stillhouse.model..",
              "io.stillhouse.checkpoint..",
              "io.stillhouse.target..",
              "io.stillhouse.text..")
          .layer("config")
          .definedBy("io.stillhouse.config..")
          .layer("spec")
          .definedBy("io.stillhouse.spec..")
          .layer("error")
          .definedBy("io.stillhouse.error..")
          .whereLayer("stages")
          .mayNotBeAccessedByAnyLayer()
          .whereLayer("parts")
          .mayOnlyBeAccessedByLayers("stages")
          .whereLayer("config")
          .mayOnlyBeAccessedByLayers("stages", "parts")
          .whereLayer("spec")
          .mayOnlyBeAccessedByLayers("stages", "parts", "config")
          .whereLayer("error")
          .mayOnlyBeAccessedByLayers("stages", "parts", "config", "spec");
}
