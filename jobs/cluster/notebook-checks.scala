// What must hold after each paragraph of a note. A section begins with //// and the ids of note and paragraph. "result" is what the
// paragraph's query returned. jobs/cluster/notebook pastes each section together with its paragraph into Spark's Scala shell.

//// 2KSTILL01 families
val plan = spark.read.option("multiLine", true).json(s"${Forms.values("cache")}/plan.json").select("part.corpus.rows", "part.corpus.tokens").head
val inputs = result.where("family = 'inputs'").head
Check.equal("rows of the inputs", inputs.getAs[Long]("rows"), plan.getLong(0))
Check.equal("tokens of the inputs", inputs.getAs[Long]("tokens"), plan.getLong(1))
Check.equal("rows of each family", result.select("rows").distinct.count, 1L)

//// 2KSTILL01 columns
val manifest = spark.read.option("multiLine", true).json(s"${Forms.values("cache")}/manifest/*.json").where("files is not null").selectExpr("inline(files)")
val stored = manifest.where("family <> 'inputs'").select(f.explode(f.col("columns"))).distinct.where("col NOT IN ('id', 'length')")
Check.equal("names of columns", result.select("column").collect.map(_.getString(0)).toSet, stored.collect.map(_.getString(0)).toSet)
Check.within(result, "MB", 1e-9, 1e9)

//// 2KSTILL01 shards
Check.equal("tokens", Check.total(result, "tokens"), Check.total(spark.table("families").where("family = 'inputs'"), "tokens"))
Check.equal("rows", Check.total(result, "rows"), Check.total(spark.table("families").where("family = 'inputs'"), "rows"))

//// 2KSTILL01 lengths
Check.equal("rows", Check.total(result, "rows"), spark.table("rows").where("status is null").count.toDouble)
Check.equal("rows up to the last bin", spark.table("rows").agg(f.max("length")).head.getInt(0) <= result.agg(f.max("tokens")).head.getLong(0), true)

//// 2KSTILL01 entropy
val certain = spark.table("certainty")
Check.equal("rows", Check.total(result, "rows"), certain.count.toDouble)
if (!certain.isEmpty) {
  val classes = sample.rows("logits").agg(f.max(f.size(f.col("logits")))).head.getInt(0)
  Check.equal("rows with an entropy", Check.within(certain, "entropy", 0, math.log(classes)), certain.count)
  Check.within(certain, "probability", 1.0 / classes, 1)
}

//// 2KSTILL01 classes
Check.equal("rows", Check.total(result, "rows"), spark.table("certainty").count.toDouble)

//// 2KSTILL01 wrong
Check.equal("predictions that are right", result.where("label = predicted").count, 0L)

//// 2KSTILL01 uncertain
if (!result.isEmpty) {
  val largest = spark.table("certainty").agg(f.max("entropy")).head.getDouble(0)
  Check.near("the largest entropy", result.head.getAs[Double]("entropy"), largest, 1e-3)
}

//// 2KSTILL01 magnitudes
Check.equal("numbers that are not finite", Check.total(result, "not_finite"), 0.0)
for (row <- result.collect if row.getString(0) == "logits" || row.getString(0).startsWith("hidden")) {
  val numbers = sample.rows(row.getString(0)).where("status is null").select(f.col(row.getString(0)).as("cell"))
  val flat = if (row.getString(0) == "logits") numbers else numbers.select(f.flatten(f.col("cell")).as("cell"))
  val squares = flat.selectExpr("aggregate(cell, 0D, (sum, x) -> sum + double(x) * double(x)) AS squares", "size(cell) AS n")
  Check.near(s"rms of ${row.getString(0)}", row.getAs[Double]("rms"), math.sqrt(Check.total(squares, "squares") / Check.total(squares, "n")), 1e-6)
}

//// 2KSTILL01 tokens
Check.that("no row", !result.isEmpty)
Check.equal("rows with other numbers of words than tokens", result.where("status is null AND size(split(tokens, ' ')) <> length").count, 0L)

//// 2KSTILL01 arrays
val one = z.shown.head
Check.equal("rows", z.shown.count, 1L)
for (name <- names if name.startsWith("hidden")) Check.equal(s"tokens of $name", one.getSeq(one.fieldIndex(name)).length, one.getAs[Int]("length"))

//// 2KSTILL02 open
val heads = spark.table("heads")
Check.equal("heads", heads.count, heads.agg(f.max("layer")).head.getInt(0).toLong * heads.agg(f.max("head")).head.getInt(0))
val longest = sample.rows().agg(f.max("length")).head.getInt(0)
Check.equal("heads with an entropy", Check.within(heads, "entropy", 0, math.log(longest)), heads.count)
Check.within(heads, "relative_entropy", 0, 1)
Check.within(heads, "distance", 0, longest - 1)
Check.within(heads, "self", 0, 1)
Check.within(heads, "special", 0, 1)

//// 2KSTILL02 entropy
Check.equal("cells and steps of the legend", Check.picture("rect").size, heads.count.toInt + 6)

//// 2KSTILL02 distance
Check.that("the largest distance is not in the legend", Check.picture().contains(BigDecimal(heads.agg(f.max("distance")).head.getDouble(0)).setScale(2, BigDecimal.RoundingMode.HALF_EVEN).toString))

//// 2KSTILL02 special
Check.equal("cells and steps of the legend", Check.picture("rect").size, heads.count.toInt + 6)

//// 2KSTILL02 scatter
Check.equal("points", result.count, heads.count)

//// 2KSTILL02 layers
Seq("cls_and_sep", "same_token", "relative_entropy").foreach(column => Check.within(result, column, 0, 1))

//// 2KSTILL02 neighbors
Check.that("no head", !result.isEmpty)

//// 2KSTILL02 short
Check.that("no row", !result.isEmpty)

//// 2KSTILL02 grid
Check.equal("maps", Check.picture("title").count(_.startsWith("layer")), heads.count.toInt)

//// 2KSTILL02 map
val length = sample.rows().where(f.col("id") === row).head.getAs[Int]("length")
Check.equal("cells and steps of the legend", Check.picture("rect").size, length * length + 6)

//// 2KSTILL02 attention
val weights = spark.table("attention").groupBy("layer", "head", "query").agg(f.sum("weight").as("sum"), f.expr("-sum(if(weight > 0, weight * ln(weight), 0))").as("entropy"))
Check.equal("queries whose weights sum to 1", Check.within(weights, "sum", 1, 1), heads.count * length)
Check.within(weights, "entropy", 0, math.log(length))

//// 2KSTILL02 received
Check.near("attention received by all tokens", Check.total(result, "weight"), 1, 1e-9)
Check.equal("tokens", result.count, length.toLong)

//// 2KSTILL02 pairs
Check.within(result, "weight", 0, 1)

//// 2KSTILL03 views
val names = spark.table("models").collect.map(_.getString(0))
Check.equal("the first model", names.head, "teacher")
Check.that("no student", names.length > 1)

//// 2KSTILL03 left_out
Check.equal("students that were left out", result.count, 0L)

//// 2KSTILL03 models
Check.equal("agreement of the teacher with itself", result.head.getAs[Double]("agreement"), 1.0)
for (model <- result.collect.tail) {
  val texts = spark.table("texts").where(f.col("student") === model.getString(0))
  Check.equal("rows", texts.count, model.getAs[Int]("rows").toLong)
  Check.near("agreement", model.getAs[Double]("agreement"), texts.where("teacher_predicts = student_predicts").count.toDouble / texts.count, 1e-9)
  Check.near("accuracy", model.getAs[Double]("accuracy"), texts.where("class_name = student_predicts").count.toDouble / texts.where("class_name is not null").count, 1e-9)
}

//// 2KSTILL03 calibration_error
for (model <- result.collect) {
  val bins = spark.table("calibration").where(f.col("model") === model.getString(0))
  val differences = Check.total(bins.selectExpr("rows * abs(rate - probability) AS difference"), "difference")
  Check.near("calibration error from the bins", model.getDouble(1), differences / Check.total(bins, "rows"), 1e-9)
}

//// 2KSTILL03 reliability
val labels = Check.picture()
Check.that(s"one of ${names.toSeq} is not in $labels", names.forall(labels.contains))

//// 2KSTILL03 bins
Check.within(result, "probability", 0, 1)
Check.within(result, "rate", 0, 1)

//// 2KSTILL03 student
val similarities = spark.table("layers").where(f.col("model") === student)
Check.equal("cells", Check.picture("title").count(_.matches(".*: -?\\d\\.\\d\\d\\d")), similarities.where("similarity is not null").count.toInt)
Check.within(similarities, "similarity", -0.2, 1)

//// 2KSTILL03 teacher_layers
Check.picture()
val diagonal = spark.table("layers").where("model = 'teacher' AND layer = teacher_layer")
Check.equal("layers equal to themselves", Check.within(diagonal, "similarity", 1, 1), diagonal.count)

//// 2KSTILL03 similar
Check.equal("layers of the students", result.count, spark.table("layers").where("model <> 'teacher'").select("model", "layer").distinct.count)

//// 2KSTILL03 agreement_map
Check.that("the diagonal and other cells are not rows that were compared", Check.picture("title").count(_.startsWith("predicted by teacher")) > 1)

//// 2KSTILL03 confusion_map
val counted = Check.picture("title").filter(_.startsWith("label:")).map(_.replaceAll(".*: (\\d+) rows$", "$1").toInt).sum
Check.equal("rows in the cells", counted, spark.table("texts").where(f.col("student") === student && f.col("class_name").isNotNull).count.toInt)

//// 2KSTILL03 confused
val mistakes = spark.table("texts").where("class_name <> student_predicts").count
Check.that("more mistakes than texts with them", Check.total(result.where("model <> 'teacher'"), "rows") <= mistakes)

//// 2KSTILL03 differences
Check.within(result, "difference", 0, 1)
Check.equal("order", result.collect.map(_.getAs[Double]("difference")).toSeq, result.collect.map(_.getAs[Double]("difference")).sorted.reverse.toSeq)

//// 2KSTILL03 curves
Check.within(result, "loss", 1e-9, 1e6)
Check.equal("students with a curve", result.select("student").distinct.count, names.length - 1L)

//// 2KSTILL04 students
Check.that("no student", !result.isEmpty)
Check.within(result, "parameters", 1, 1e12)
for (student <- result.where("status = 'trained'").collect) Check.that("no config.json", Files.exists(Paths.get(new java.net.URI(students.directory(student.getAs[String]("student")) + "/config.json"))))

//// 2KSTILL04 picture
val named = Check.picture()
Check.that("no student is named", spark.table("evaluation").collect.map(_.getString(0)).exists(named.contains))

//// 2KSTILL04 quality
Check.within(result, "quality", -1, 1)

//// 2KSTILL04 latency
Check.within(result, "milliseconds", 0, 1e6)

//// 2KSTILL04 trade
Check.equal("models", result.count, spark.table("evaluation").count)

//// 2KSTILL04 front
val best = spark.table("evaluation").agg(f.max("quality")).head.getDouble(0)
Check.that("the best model is not on the front", result.orderBy(f.desc("quality")).head.getAs[Double]("quality") >= best - 1e-4)
val sizes = result.collect.map(row => (row.getAs[Long]("parameters"), row.getAs[Double]("quality")))
Check.that("a larger model is worse than a smaller one", sizes.zip(sizes.drop(1)).forall { case (a, b) => a._1 <= b._1 && a._2 <= b._2 })

//// 2KSTILL04 classify
Check.near("sum of the probabilities", Check.total(spark.table("classes"), "probabilities"), 1, 1e-6)

//// 2KSTILL04 classes
Check.within(result, "probability", 0, 1)
