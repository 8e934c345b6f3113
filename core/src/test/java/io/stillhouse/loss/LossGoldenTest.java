package io.stillhouse.loss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import com.google.gson.JsonParser;
import io.stillhouse.Golden;
import io.stillhouse.torch.Autograd;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Compares each term and its gradient with PyTorch's loss functions. */
class LossGoldenTest {
  private NDManager manager;
  private Golden golden;
  private NDArray maskBL1;
  private long tokens;

  @BeforeEach
  void open() {
    manager = NDManager.newBaseManager();
    golden = new Golden("losses.safetensors", manager);
    maskBL1 = golden.read("attention_mask").expandDims(2);
    tokens = (long) maskBL1.sum().getFloat();
    Autograd.record(Autograd.Mode.ON);
  }

  @AfterEach
  void close() {
    Autograd.record(Autograd.Mode.OFF);
    manager.close();
  }

  @Test
  void softLabelsOfRealTokens() {
    NDArray positions = where(golden.read("attention_mask").neq(0));
    check(
        "soft_real",
        "student_logits",
        s ->
            SoftLabelLoss.kl(
                rows(s, positions), rows(golden.read("teacher_logits"), positions), 2));
  }

  @Test
  void softLabelsOfMaskedTokens() {
    NDArray positions = where(golden.read("labels").neq(-100));
    check(
        "soft_masked",
        "student_logits",
        s ->
            SoftLabelLoss.kl(
                rows(s, positions), rows(golden.read("teacher_logits"), positions), 2));
  }

  @Test
  void softLabelsOfClasses() {
    check(
        "soft_class",
        "student_class_logits",
        s -> SoftLabelLoss.kl(s, golden.read("teacher_class_logits"), 2));
  }

  @Test
  void maskedLmCrossEntropy() {
    NDArray positions = where(golden.read("labels").neq(-100));
    NDArray labels = golden.read("labels").flatten().get(positions).toType(DataType.INT64, true);
    check(
        "masked_lm", "student_logits", s -> HardLabelLoss.crossEntropy(rows(s, positions), labels));
  }

  @Test
  void hiddenCosine() {
    check(
        "hidden_cosine",
        "student_hidden",
        s -> HiddenLoss.cosine(s, golden.read("teacher_hidden"), maskBL1, tokens));
  }

  @Test
  void hiddenMse() {
    check(
        "hidden_mse",
        "student_hidden",
        s -> HiddenLoss.mse(s, golden.read("teacher_hidden"), maskBL1, tokens));
  }

  @Test
  void attentionMse() {
    long pairs = (long) maskBL1.sum(new int[] {1}).square().sum().getFloat();
    check(
        "attention_mse",
        "student_attention",
        s -> AttentionLoss.mse(s, golden.read("teacher_attention"), maskBL1, pairs));
  }

  @Test
  void multiLabelCrossEntropy() {
    NDArray present = golden.read("present").toType(DataType.INT64, true);
    check("binary", "student_label_logits", s -> HardLabelLoss.binaryCrossEntropy(s, present));
  }

  @Test
  void multiLabelSoftLabels() {
    NDArray teacher = golden.read("teacher_label_logits");
    check(
        "soft_binary",
        "student_label_logits",
        s ->
            SoftLabelLoss.kl(
                HardLabelLoss.binaryLogits(s), HardLabelLoss.binaryLogits(teacher), 2));
  }

  @Test
  void squaredErrorOfLogits() {
    check(
        "soft_mse",
        "student_label_logits",
        s -> SoftLabelLoss.mse(s, golden.read("teacher_label_logits")));
  }

  @Test
  void crossEntropyOfWeightedClasses() {
    NDArray classes = golden.read("classes").toType(DataType.INT64, true);
    NDArray weights = golden.read("class_weights");
    check(
        "weighted",
        "student_weighted_logits",
        s -> HardLabelLoss.crossEntropy(s, classes, weights));
  }

  @Test
  void squaredErrorOfScores() {
    check(
        "squared_error",
        "student_score",
        s -> HardLabelLoss.squaredError(s, golden.read("teacher_score").flatten()));
  }

  private void check(String name, String student, Function<NDArray, NDArray> loss) {
    double expected =
        JsonParser.parseString(Golden.text("losses.json"))
            .getAsJsonObject()
            .getAsJsonObject("values")
            .get(name)
            .getAsDouble();
    NDArray input = golden.read(student);
    input.setRequiresGradient(true);

    NDArray value = loss.apply(input);
    Autograd.backward(value);

    assertThat((double) value.getFloat()).isCloseTo(expected, within(2e-6 * Math.abs(expected)));
    assertThat(Golden.relativeError(Autograd.gradient(input), golden.read("grad." + name), 0))
        .isLessThan(1e-5);
  }

  private NDArray where(NDArray chosenBL) {
    return chosenBL.flatten().nonzero().flatten().toType(DataType.INT64, true);
  }

  private static NDArray rows(NDArray logitsBLV, NDArray positions) {
    NDArray flat = logitsBLV.reshape(-1, logitsBLV.getShape().get(2));
    return Autograd.rows(flat, positions);
  }
}
