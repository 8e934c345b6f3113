// What paragraphs of a note find in Zeppelin, and what jobs/cluster/notebook-checks.scala uses. Pasted before the first note.
import java.io.ByteArrayInputStream
import java.nio.file.{Files, Paths}
import javax.xml.parsers.DocumentBuilderFactory
import org.apache.spark.sql.{functions => f, DataFrame}
import org.apache.spark.sql.types.NumericType

/** The values that a reader would enter into the forms of the note. */
object Forms { var values = Map[String, String]() }

/** Stands in for ZeppelinContext, as far as notes use it. */
object z {
  var shown: DataFrame = _
  def textbox(name: String, default: Any = ""): Object = Forms.values.getOrElse(name, default.toString)
  def show(frame: DataFrame): Unit = { shown = frame; frame.show(3, 60) }
}

/** What the paragraph printed last. */
object Printed { var last = "" }

/** Replaces Predef.println, which would fill the output with pictures. */
def println(text: Any): Unit = {
  Printed.last = text.toString
  Console.out.println(if (Printed.last.startsWith("%html")) s"(a picture of ${Printed.last.length} characters)" else Printed.last)
}

object Check {
  def that(what: String, holds: Boolean): Unit = if (!holds) throw new AssertionError(what)

  def equal(what: String, found: Any, expected: Any): Unit = that(s"$what: $found, not $expected", found == expected)

  def near(what: String, found: Double, expected: Double, tolerance: Double): Unit =
    that(s"$what: $found, not $expected", math.abs(found - expected) <= tolerance)

  /** Requires that the numbers of a column are within limits, and returns how many there are. */
  def within(frame: DataFrame, column: String, from: Double, to: Double): Long = {
    val limits = frame.where(f.col(column).isNotNull).agg(f.min(column).cast("double"), f.max(column).cast("double"), f.count("*")).head
    if (limits.getLong(2) > 0) {
      that(s"$column is in ${limits.getDouble(0)}..${limits.getDouble(1)}, not in $from..$to", limits.getDouble(0) >= from - 1e-9 && limits.getDouble(1) <= to + 1e-9)
    }
    limits.getLong(2)
  }

  /** Requires that a chart's columns are those of the query, and that what it draws are numbers. */
  def chart(result: DataFrame, labels: Seq[(String, Int)], numbers: Seq[(String, Int)]): Unit =
    for ((name, index) <- labels ++ numbers) {
      that(s"column $index is not $name", index < result.columns.length && result.columns(index) == name)
      if (numbers.contains((name, index))) that(s"$name is not a number", result.schema(index).dataType.isInstanceOf[NumericType])
    }

  def total(frame: DataFrame, column: String): Double = frame.agg(f.coalesce(f.sum(column), f.lit(0)).cast("double")).head.getDouble(0)

  /** Requires that the paragraph printed a picture that makes no request to any host, and returns the texts of its elements. */
  def picture(element: String = "text"): Seq[String] = {
    that("no picture was printed", Printed.last.startsWith("%html <"))
    val html = Printed.last.stripPrefix("%html ")
    that("the picture names a host or a script", !html.contains("http") && !html.contains("<script"))
    val document = DocumentBuilderFactory.newInstance.newDocumentBuilder.parse(new ByteArrayInputStream(html.getBytes("UTF-8")))
    that("the picture has no description", document.getElementsByTagName("desc").getLength == 1)
    val nodes = document.getElementsByTagName(element)
    (0 until nodes.getLength).map(n => nodes.item(n).getTextContent)
  }

  /** Keeps the picture that the paragraph printed, if PICTURES names a directory. */
  def keep(name: String): Unit = if (Printed.last.startsWith("%html")) sys.env.get("PICTURES").foreach { directory =>
    Files.write(Paths.get(directory, s"$name.html"), Printed.last.stripPrefix("%html ").getBytes("UTF-8"))
  }
}
