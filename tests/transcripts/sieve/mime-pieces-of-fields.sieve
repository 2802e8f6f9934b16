--- script
require ["foreverypart","mime","variables","extracttext","fileinto"];
foreverypart {
  if header :mime :type "content-type" "application" { fileinto "app"; }
  if header :mime :param ["name", "filename"] :matches ["content-type", "content-disposition"] "*.pdf" { fileinto "named ${1}"; }
  if header :mime :contenttype "content-type" "text/plain" { extracttext :upper :first 5 "t"; fileinto "${t}"; }
  if not exists :mime "content-type" { fileinto "never"; }
}
if header :mime :type "content-type" "multipart" { fileinto "root"; }
if header :contains "content-type" "boundary" { fileinto "plain header"; }
if exists "content-disposition" { fileinto "not of the message"; }
--- message
Subject: parts
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

Plain words
--b
Content-Type: application/pdf; name="a.pdf"
Content-Disposition: attachment; filename="report.pdf"

%PDF
--b--
--- expect
fileinto PLAIN
fileinto app
fileinto named a
fileinto root
fileinto plain header
