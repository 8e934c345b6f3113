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

/** The weighted sum of a recipe's loss terms. No other class applies their weights. */
public final class DistillLoss {
  private final DistillSpec spec;
  private final Predictor student;
  private final Map<String, NDArray> projections;
  private final Teachers teachers;
  private final List<DistillLoss> additional; // one for each additional teacher

  /** Creates the loss of a student of one teacher. */
  public DistillLoss(DistillSpec spec, Predictor student, Map<String, NDArray> projections) {
    this(spec, Teachers.SINGLE, student, projections);
  }

  /**
   * Creates the loss of a student of one or several teachers.
   *
   * @param spec weights and layers
   * @param teachers the additional teachers, and the weight of each teacher
   * @param student the model that is trained
   * @param projections by {@link DistillSpec#projection}, (teacher width, student width), float32;
   *     none if the widths are equal or the student's hidden states are already projected
   */
  public DistillLoss(
      DistillSpec spec, Teachers teachers, Predictor student, Map<String, NDArray> projections) {
    this.spec = spec;
    this.teachers = teachers;
    this.student = student;
    this.projections = Map.copyOf(projections);
    this.additional =
        teachers.additional().stream()
            .map(teacher -> new DistillLoss(teacher.loss(), student, projections))
            .toList();
  }

  /** Returns whether a tensor with this name is a projection, not one of the student's weights. */
  public static boolean isProjection(String name) {
    return name.startsWith("projection.");
  }

  /**
   * The share of one micro-batch in the loss of a step.
   *
   * @param total share of the weighted loss, a scalar with an autograd graph; null if no term reads
   *     a token of the micro-batch
   * @param terms unweighted share of each term; summed over the micro-batches of a step, these are
   *     the step's means
   */
  public record Value(@Nullable NDArray total, Map<Term, Double> terms) {}

  /**
   * Computes every term whose weight is not 0. The hard-label term of a task is the mean over the
   * rows with a label; a micro-batch without labels has no such term.
   *
   * @param output the student's output for {@code targets.batch()}, with the tensors that the terms
   *     read
   * @param step counts of the full optimizer step
   * @throws IllegalStateException if a term needs a head that the student lacks, or a tensor that
   *     {@code output} did not keep
   */
  public Value of(EncoderOutput output, TargetBatch targets, Counts step) {
    boolean maskedLm = student.spec().head().task() == Task.MASKED_LM;
    Counts counts = targets.counts();
    Map<Term, NDArray> means = means(output, targets, counts);

    NDArray total = null;
    Map<Term, Double> terms = new EnumMap<>(Term.class);
    for (Map.Entry<Term, NDArray> entry : means.entrySet()) {
      Term term = entry.getKey();
      NDArray mean = entry.getValue();
      double share = term.share(counts, step, maskedLm, spec.softLabel().positions());
      terms.put(term, share * mean.toType(DataType.FLOAT64, true).getDouble());
      NDArray weighted = Autograd.multiply(mean, weight(term) * share);
      total = total == null ? weighted : total.add(weighted);
    }
    return new Value(total, terms);
  }

  /** Returns each term's mean over rows, tokens or pairs, and over the teachers. */
  private Map<Term, NDArray> means(EncoderOutput output, TargetBatch targets, Counts counts) {
    Map<Positions, NDArray> logits = new EnumMap<>(Positions.class);
    Map<Term, NDArray> means = meansOfTeacher(output, targets, counts, logits);
    if (additional.isEmpty()) {
      return means;
    }
    means.replaceAll((term, mean) -> weighted(mean, term, teachers.weight()));
    for (int number = 0; number < additional.size(); number++) {
      double weight = teachers.additional().get(number).weight();
      additional
          .get(number)
          .meansOfTeacher(output, targets.additional(number), counts, logits)
          .forEach((term, mean) -> add(means, term, weighted(mean, term, weight)));
    }
    return means;
  }

  /** Weights a teacher's mean by its share among the teachers that take part in the term. */
  private NDArray weighted(NDArray mean, Term term, double weight) {
    double all = teachers.weight();
    for (int number = 0; number < additional.size(); number++) {
      if (additional.get(number).weight(term) != 0) {
        all += teachers.additional().get(number).weight();
      }
    }
    return weight == all ? mean : Autograd.multiply(mean, weight / all);
  }

  /**
   * Returns the means of one teacher's terms.
   *
   * @param logits the student's masked-LM logits, computed once for all teachers
   */
  private Map<Term, NDArray> meansOfTeacher(
      EncoderOutput output, TargetBatch targets, Counts counts, Map<Positions, NDArray> logits) {
    Map<Term, NDArray> means = new EnumMap<>(Term.class);
    if (student.spec().head().task() == Task.MASKED_LM) {
      maskedLmTerms(output, targets, counts, means, logits);
    } else {
      taskTerms(output, targets, counts, means);
    }
    stateTerms(output, targets, counts, means);
    scoreTerms(output, targets, counts, means);
    relationTerms(output, targets, counts, means);
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
      Counts counts,
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
    if (counts.masked() == 0 || !(softOnMasked || weight(Term.HARD_LABEL) != 0)) {
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
      means.put(Term.HARD_LABEL, hardLabel(logitsNV, targets));
    }
  }

  private void taskTerms(
      EncoderOutput output, TargetBatch targets, Counts counts, Map<Term, NDArray> means) {
    if (weight(Term.SOFT_LABEL) == 0 && weight(Term.HARD_LABEL) == 0) {
      return;
    }
    NDArray logitsBC = output.logits();
    if (logitsBC == null) {
      throw new IllegalStateException("losses on logits need a student with a head");
    }
    if (weight(Term.SOFT_LABEL) != 0) {
      means.put(
          Term.SOFT_LABEL,
          switch (spec.softLabel().kind()) {
            case KL -> taskSoftLabel(logitsBC, targets.logitsBC());
            case MSE -> SoftLabelLoss.mse(logitsBC, targets.logitsBC());
          });
    }
    if (weight(Term.HARD_LABEL) != 0 && counts.labelled() > 0) {
      means.put(Term.HARD_LABEL, hardLabel(targets.labelledRows(logitsBC), targets));
    }
  }

  private NDArray taskSoftLabel(NDArray studentBC, NDArray teacherBC) {
    boolean choices = student.spec().head().task() == Task.MULTI_LABEL;
    return SoftLabelLoss.kl(
        choices ? HardLabelLoss.binaryLogits(studentBC) : studentBC,
        choices ? HardLabelLoss.binaryLogits(teacherBC) : teacherBC,
        spec.softLabel().temperature());
  }

  private NDArray hardLabel(NDArray logits, TargetBatch targets) {
    return LabelLoss.mean(student.spec().head(), logits, targets, spec.hard().classWeights());
  }

  private void stateTerms(
      EncoderOutput output, TargetBatch targets, Counts counts, Map<Term, NDArray> means) {
    NDArray maskBL1 = output.isPacked() ? null : mask(targets);
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
          output.isPacked() ? targets.hidden1ND(teacherLayer) : targets.hiddenBLD(teacherLayer);
      if (spec.readsCosine(layer)) {
        add(
            means,
            Term.HIDDEN_COSINE,
            HiddenLoss.cosine(studentBLD, teacherBLD, maskBL1, counts.tokens()));
      }
      if (spec.readsSquaredError(layer)) {
        add(
            means,
            layer == 0 ? Term.EMBEDDING_MSE : Term.HIDDEN_MSE,
            HiddenLoss.mse(studentBLD, teacherBLD, maskBL1, counts.tokens()));
      }
    }
  }

  private void scoreTerms(
      EncoderOutput output, TargetBatch targets, Counts counts, Map<Term, NDArray> means) {
    NDArray maskBL1 = mask(targets);
    for (int block : spec.scoreBlocks()) {
      NDArray studentBHLL = output.scores(block);
      NDArray teacherBHLL = targets.attentionBHLL(spec.layerMap().get(block));
      if (weight(Term.ATTENTION_MSE) != 0) {
        add(
            means,
            Term.ATTENTION_MSE,
            AttentionLoss.mse(studentBHLL, teacherBHLL, maskBL1, counts.pairs()));
      }
      if (spec.readsAttention(block)) {
        add(
            means,
            Term.ATTENTION_KL,
            AttentionLoss.kl(studentBHLL, teacherBHLL, maskBL1, counts.tokens()));
      }
    }
  }

  private void relationTerms(
      EncoderOutput output, TargetBatch targets, Counts counts, Map<Term, NDArray> means) {
    NDArray maskBL1 = mask(targets);
    int heads = spec.relations().heads();
    for (int block : spec.relationBlocks()) {
      for (AttentionPart part : spec.relationParts()) {
        NDArray studentBHLL = Encoder.relations(output.vectors(block, part), heads);
        NDArray teacherBHLL = targets.relationsBHLL(part, spec.layerMap().get(block), heads);
        add(
            means,
            Term.relation(part),
            AttentionLoss.kl(studentBHLL, teacherBHLL, maskBL1, counts.tokens()));
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

  /** Returns the terms whose weight is not 0. */
  public List<Term> terms() {
    return Arrays.stream(Term.values()).filter(term -> weight(term) != 0).toList();
  }
}
