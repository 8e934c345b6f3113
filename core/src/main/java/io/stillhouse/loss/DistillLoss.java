package io.stillhouse.loss;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import io.stillhouse.codec.Counts;
import io.stillhouse.codec.TargetBatch;
import io.stillhouse.model.EncoderOutput;
import io.stillhouse.model.Predictor;
import io.stillhouse.model.encoder.Encoder;
import io.stillhouse.spec.AttentionPart;
import io.stillhouse.spec.DistillSpec;
import io.stillhouse.spec.DistillSpec.Positions;
import io.stillhouse.spec.Task;
import io.stillhouse.spec.Teachers;
import io.stillhouse.torch.Autograd;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Weighs and adds the terms of a recipe; the only place that does. */
public final class DistillLoss {
  private final DistillSpec spec;
  private final Predictor student;
  private final Map<String, NDArray> projections;
  private final Teachers teachers;
  private final List<DistillLoss> further; // of each teacher besides the first, from it alone

  /** As the other, of a student of one teacher. */
  public DistillLoss(DistillSpec spec, Predictor student, Map<String, NDArray> projections) {
    this(spec, Teachers.ALONE, student, projections);
  }

  /**
   * @param spec weights and layers
   * @param teachers who else teaches, and how much each counts
   * @param student the model being trained
   * @param projections by {@link DistillSpec#projection}, (teacher width, student width), where the
   *     widths differ
   */
  public DistillLoss(
      DistillSpec spec, Teachers teachers, Predictor student, Map<String, NDArray> projections) {
    this.spec = spec;
    this.teachers = teachers;
    this.student = student;
    this.projections = Map.copyOf(projections);
    this.further =
        teachers.further().stream()
            .map(teacher -> new DistillLoss(teacher.loss(), student, projections))
            .toList();
  }

  /** Returns whether a tensor is a projection, and none of the student's own. */
  public static boolean isProjection(String name) {
    return name.startsWith("projection.");
  }

  /**
   * The loss of one micro-batch.
   *
   * @param total its share of the full batch's weighted loss; a scalar to go backward from, or null
   *     if no term has a token here
   * @param terms its share of each term, unweighted: sums over the micro-batches of a step are the
   *     step's means
   */
  public record Value(@Nullable NDArray total, Map<Term, Double> terms) {}

  /**
   * Computes every term of non-zero weight.
   *
   * @param output the student's output on {@code targets.batch()}
   * @param whole counts of the full optimiser step
   */
  public Value of(EncoderOutput output, TargetBatch targets, Counts whole) {
    boolean maskedLm = student.spec().head().task() == Task.MASKED_LM;
    Counts part = targets.counts();
    Map<Term, NDArray> means = means(output, targets, part);

    NDArray total = null;
    Map<Term, Double> terms = new EnumMap<>(Term.class);
    for (Map.Entry<Term, NDArray> entry : means.entrySet()) {
      Term term = entry.getKey();
      NDArray mean = entry.getValue();
      double share = term.share(part, whole, maskedLm, spec.softLabel().positions());
      terms.put(term, share * mean.toType(DataType.FLOAT64, true).getDouble());
      NDArray weighted = Autograd.times(mean, weight(term) * share);
      total = total == null ? weighted : total.add(weighted);
    }
    return new Value(total, terms);
  }

  /** Returns each term's mean over rows, tokens or pairs, and over the teachers. */
  private Map<Term, NDArray> means(EncoderOutput output, TargetBatch targets, Counts part) {
    Map<Positions, NDArray> logits = new EnumMap<>(Positions.class);
    Map<Term, NDArray> means = ownMeans(output, targets, part, logits);
    if (further.isEmpty()) {
      return means;
    }
    means.replaceAll((term, mean) -> shared(mean, term, teachers.weight()));
    for (int number = 0; number < further.size(); number++) {
      double weight = teachers.further().get(number).weight();
      further
          .get(number)
          .ownMeans(output, targets.further(number), part, logits)
          .forEach((term, mean) -> add(means, term, shared(mean, term, weight)));
    }
    return means;
  }

  /** Gives one teacher's mean its share of a term. */
  private NDArray shared(NDArray mean, Term term, double weight) {
    double all = teachers.weight();
    for (int number = 0; number < further.size(); number++) {
      if (further.get(number).weight(term) != 0) {
        all += teachers.further().get(number).weight();
      }
    }
    return weight == all ? mean : Autograd.times(mean, weight / all);
  }

  /**
   * Returns the means of one teacher's terms.
   *
   * @param logits the student's masked-LM logits of tokens, which its teachers share
   */
  private Map<Term, NDArray> ownMeans(
      EncoderOutput output, TargetBatch targets, Counts part, Map<Positions, NDArray> logits) {
    Map<Term, NDArray> means = new EnumMap<>(Term.class);
    if (student.spec().head().task() == Task.MASKED_LM) {
      maskedLmTerms(output, targets, part, means, logits);
    } else {
      taskTerms(output, targets, means);
    }
    stateTerms(output, targets, part, means);
    scoreTerms(output, targets, part, means);
    relationTerms(output, targets, part, means);
    return means;
  }

  /** Returns the weight of a term. */
  public double weight(Term term) {
    return weight(spec, term);
  }

  /** Returns the weight that a recipe gives a term. */
  public static double weight(DistillSpec spec, Term term) {
    return switch (term) {
      case SOFT_LABEL -> spec.softLabel().weight();
      case HARD_LABEL -> spec.hardLabel();
      case HIDDEN_COSINE -> spec.hidden().cosine();
      case HIDDEN_MSE -> spec.hidden().mse();
      case EMBEDDING_MSE -> spec.hidden().embeddingMse();
      case FIRST_TOKEN_MSE -> spec.hidden().firstTokenMse();
      case ATTENTION_MSE -> spec.attentionMse();
      case ATTENTION_KL -> spec.relations().attention();
      case QUERY_RELATION -> spec.relations().query();
      case KEY_RELATION -> spec.relations().key();
      case VALUE_RELATION -> spec.relations().value();
    };
  }

  private void maskedLmTerms(
      EncoderOutput output,
      TargetBatch targets,
      Counts part,
      Map<Term, NDArray> means,
      Map<Positions, NDArray> logits) {
    boolean softOnAll =
        weight(Term.SOFT_LABEL) != 0 && spec.softLabel().positions() == Positions.ALL;
    if (softOnAll) {
      NDArray logitsNV =
          logits.computeIfAbsent(
              Positions.ALL, all -> student.maskedLmLogits(targets.realTokensND(output.last())));
      means.put(Term.SOFT_LABEL, maskedLmSoftLabel(logitsNV, targets, Positions.ALL));
    }
    boolean softOnMasked = weight(Term.SOFT_LABEL) != 0 && !softOnAll;
    if (part.masked() == 0 || !(softOnMasked || weight(Term.HARD_LABEL) != 0)) {
      return;
    }
    NDArray logitsNV =
        logits.computeIfAbsent(
            Positions.MASKED,
            masked -> student.maskedLmLogits(targets.maskedTokensND(output.last())));
    if (softOnMasked) {
      means.put(Term.SOFT_LABEL, maskedLmSoftLabel(logitsNV, targets, Positions.MASKED));
    }
    if (weight(Term.HARD_LABEL) != 0) {
      means.put(Term.HARD_LABEL, HardLabelLoss.crossEntropy(logitsNV, targets.maskedLabelsN()));
    }
  }

  private void taskTerms(EncoderOutput output, TargetBatch targets, Map<Term, NDArray> means) {
    if (weight(Term.SOFT_LABEL) == 0 && weight(Term.HARD_LABEL) == 0) {
      return;
    }
    NDArray logitsBC = output.logits();
    if (logitsBC == null) {
      throw new IllegalStateException("a loss on logits needs a student with a head");
    }
    if (weight(Term.SOFT_LABEL) != 0) {
      means.put(
          Term.SOFT_LABEL,
          switch (spec.softLabel().kind()) {
            case KL -> taskSoftLabel(logitsBC, targets.logitsBC());
            case MSE -> SoftLabelLoss.mse(logitsBC, targets.logitsBC());
          });
    }
    if (weight(Term.HARD_LABEL) != 0) {
      means.put(Term.HARD_LABEL, taskHardLabel(logitsBC, targets));
    }
  }

  private NDArray taskSoftLabel(NDArray studentBC, NDArray teacherBC) {
    boolean choices = student.spec().head().task() == Task.MULTI_LABEL;
    return SoftLabelLoss.kl(
        choices ? HardLabelLoss.choices(studentBC) : studentBC,
        choices ? HardLabelLoss.choices(teacherBC) : teacherBC,
        spec.softLabel().temperature());
  }

  private NDArray taskHardLabel(NDArray logitsBC, TargetBatch targets) {
    return switch (student.spec().head().task()) {
      case REGRESSION -> HardLabelLoss.squaredError(logitsBC, targets.scoresB());
      case MULTI_LABEL ->
          HardLabelLoss.binaryCrossEntropy(
              logitsBC, targets.labelsBC(student.spec().head().outputs()));
      case CLASSIFICATION -> {
        List<Double> weights = spec.hard().classWeights();
        yield weights.isEmpty()
            ? HardLabelLoss.crossEntropy(logitsBC, targets.classesB())
            : HardLabelLoss.crossEntropy(logitsBC, targets.classesB(), targets.numbers(weights));
      }
      case NONE, MASKED_LM -> throw new IllegalStateException("no task of rows");
    };
  }

  private void stateTerms(
      EncoderOutput output, TargetBatch targets, Counts part, Map<Term, NDArray> means) {
    NDArray maskBL1 = output.packed() ? null : mask(targets);
    for (int layer : spec.studentHidden()) {
      NDArray studentBLD = projected(output.hidden(layer), layer);
      int teacherLayer = spec.layerMap().get(layer);
      if (spec.readsFirstToken(layer)) {
        add(
            means,
            Term.FIRST_TOKEN_MSE,
            HiddenLoss.firstTokenMse(
                targets.firstTokensBD(studentBLD), targets.firstHiddenBD(teacherLayer)));
      }
      if (!spec.readsCosine(layer) && !spec.readsSquaredError(layer)) {
        continue;
      }
      NDArray teacherBLD =
          output.packed() ? targets.hidden1ND(teacherLayer) : targets.hiddenBLD(teacherLayer);
      if (spec.readsCosine(layer)) {
        add(
            means,
            Term.HIDDEN_COSINE,
            HiddenLoss.cosine(studentBLD, teacherBLD, maskBL1, part.tokens()));
      }
      if (spec.readsSquaredError(layer)) {
        add(
            means,
            layer == 0 ? Term.EMBEDDING_MSE : Term.HIDDEN_MSE,
            HiddenLoss.mse(studentBLD, teacherBLD, maskBL1, part.tokens()));
      }
    }
  }

  private void scoreTerms(
      EncoderOutput output, TargetBatch targets, Counts part, Map<Term, NDArray> means) {
    NDArray maskBL1 = mask(targets);
    for (int block : spec.scoreBlocks()) {
      NDArray studentBHLL = output.scores(block);
      NDArray teacherBHLL = targets.attentionBHLL(spec.layerMap().get(block));
      if (weight(Term.ATTENTION_MSE) != 0) {
        add(
            means,
            Term.ATTENTION_MSE,
            AttentionLoss.mse(studentBHLL, teacherBHLL, maskBL1, part.pairs()));
      }
      if (spec.readsAttention(block)) {
        add(
            means,
            Term.ATTENTION_KL,
            AttentionLoss.kl(studentBHLL, teacherBHLL, maskBL1, part.tokens()));
      }
    }
  }

  private void relationTerms(
      EncoderOutput output, TargetBatch targets, Counts part, Map<Term, NDArray> means) {
    NDArray maskBL1 = mask(targets);
    int heads = spec.relations().heads();
    for (int block : spec.relationBlocks()) {
      for (AttentionPart of : spec.relationParts()) {
        NDArray studentBHLL = Encoder.relations(output.vectors(block, of), heads);
        NDArray teacherBHLL = targets.relationsBHLL(of, spec.layerMap().get(block), heads);
        add(
            means,
            Term.relation(of),
            AttentionLoss.kl(studentBHLL, teacherBHLL, maskBL1, part.tokens()));
      }
    }
  }

  private static @Nullable NDArray mask(TargetBatch targets) {
    return targets.padded() ? targets.batch().maskBL1() : null;
  }

  private NDArray maskedLmSoftLabel(NDArray logitsNV, TargetBatch targets, Positions positions) {
    double temperature = spec.softLabel().temperature();
    return switch (spec.softLabel().kind()) {
      case KL ->
          SoftLabelLoss.kl(
              logitsNV, targets.maskedLmSoftLabels(positions, temperature), temperature);
      case MSE -> SoftLabelLoss.mse(logitsNV, targets.maskedLmLogitsNV(positions));
    };
  }

  private NDArray projected(NDArray stateBLD, int layer) {
    NDArray weight = projections.get(spec.projection(layer));
    return weight == null ? stateBLD : stateBLD.matMul(weight.transpose());
  }

  private static void add(Map<Term, NDArray> means, Term term, NDArray value) {
    means.merge(term, value, NDArray::add);
  }

  /** Returns the terms of non-zero weight. */
  public List<Term> terms() {
    return Arrays.stream(Term.values()).filter(term -> weight(term) != 0).toList();
  }
}
