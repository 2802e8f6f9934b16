--- script
require ["fileinto", "comparator-i;unicode-casemap"];
if header :comparator "i;unicode-casemap" "subject" "GRÜẞE élan" { fileinto "1"; }
if header :comparator "i;unicode-casemap" :contains "subject" "ÉLAN" { fileinto "2"; }
if header :contains "subject" "ÉLAN" { fileinto "3"; }
if header :comparator "i;unicode-casemap" :matches "subject" "*É?AN" { fileinto "4"; }
--- message
Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe_=C3=A9lan?=

x
--- expect
fileinto 2
fileinto 4
