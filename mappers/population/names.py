"""Given names and surnames to draw from: common Thai given names, invented surnames; whoever they make up is nobody.

Each entry is (Thai, romanised). PREFIXES are (code of cs-dopa-nameprefix, Thai, English).
"""

from __future__ import annotations

PREFIXES = {
    "001": ("ด.ช.", "Master"),
    "002": ("ด.ญ.", "Miss"),
    "003": ("นาย", "Mr."),
    "004": ("น.ส.", "Miss"),
    "005": ("นาง", "Mrs."),
}


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    words = text.split()
    return tuple(zip(words[::2], words[1::2], strict=True))


MALE = _pairs("""
สมชาย Somchai สมศักดิ์ Somsak ประเสริฐ Prasert วิชัย Wichai สุรชัย Surachai อนุชา Anucha ธนากร Thanakorn กิตติ Kitti
ณัฐพล Nattaphon ภูมิ Phum ชัยวัฒน์ Chaiwat บุญมี Bunmi ทองดี Thongdi สมพร Somphon ประยูร Prayun วีระ Wira สุชาติ Suchat
มานพ Manop เกรียงไกร Kriangkrai ศุภชัย Suphachai นพดล Noppadon พงศกร Phongsakon ปิยะ Piya อดิศักดิ์ Adisak ธีรพงษ์ Thiraphong
สิทธิชัย Sitthichai จักรพันธ์ Chakkraphan ณรงค์ Narong บัญชา Bancha ไพโรจน์ Phairot สำราญ Samran อุดม Udom คำปัน Khampan
ทวี Thawi เฉลิม Chaloem ชาญชัย Chanchai วรวุฒิ Worawut ปรีชา Pricha พิทักษ์ Phithak รุ่งโรจน์ Rungrot สุพจน์ Suphot
เอกชัย Ekkachai ภาณุพงศ์ Phanuphong กฤษฎา Kritsada จิรายุ Chirayu ธนวัฒน์ Thanawat นครินทร์ Nakharin ปกรณ์ Pakon
พีรพัฒน์ Phiraphat ภาคิน Phakhin รัชชานนท์ Ratchanon ศุภกร Suphakon สรวิชญ์ Sorawit อภิวัฒน์ Aphiwat คมสัน Khomsan
ดำรง Damrong ถาวร Thawon ธวัชชัย Thawatchai นิพนธ์ Niphon บุญส่ง Bunsong ประวิทย์ Prawit ไพศาล Phaisan มงคล Mongkhon
ยุทธนา Yutthana วสันต์ Wasan สถาพร Sathaphon อำนาจ Amnat
""")

FEMALE = _pairs("""
สมหญิง Somying มาลี Mali สุดา Suda วันเพ็ญ Wanphen บุญเรือน Bunruean ทองคำ Thongkham สมใจ Somjai ประนอม Pranom รัตนา Rattana
อรทัย Orathai กาญจนา Kanchana จันทร์เพ็ญ Chanphen สุภาพร Suphaphon นงลักษณ์ Nonglak พรทิพย์ Phonthip วราภรณ์ Waraphon
ศิริพร Siriphon อัมพร Amphon ลำดวน Lamduan บัวผัน Buaphan คำแปง Khampaeng ดวงใจ Duangchai นภา Napha ปราณี Prani
พิมพ์ใจ Phimchai ละเอียด Laiat วิไล Wilai สายสมร Saisamon อุไร Urai เพ็ญศรี Phensi จิราพร Chiraphon ชลธิชา Chonthicha
ณัฐธิดา Natthida ธัญชนก Thanchanok นันทนา Nanthana เบญจมาศ Benchamat ปวีณา Pawina พัชรี Phatchari ภัทราพร Phattharaphon
มณีรัตน์ Maneerat เยาวลักษณ์ Yaowalak รุ่งนภา Rungnapha ลลิตา Lalita วิภาดา Wiphada ศศิธร Sasithon สุนิสา Sunisa
อรอนงค์ Onanong กนกวรรณ Kanokwan ขวัญใจ Khwanchai จารุวรรณ Charuwan ชุติมา Chutima ญาณิศา Yanisa ฐิติมา Thitima
ดารุณี Daruni ทิพวรรณ Thipphawan ธิดารัตน์ Thidarat น้ำฝน Namfon บุษบา Butsaba ประภา Prapha ปาริชาติ Parichat
ผกามาศ Phakamat พรพิมล Phonphimon ภาวิณี Phawini มัลลิกา Manlika ยุพิน Yuphin รัชนี Ratchani ลัดดา Ladda วาสนา Wasana
ศรีสุดา Sisuda สุจิตรา Suchittra อัญชลี Anchali
""")

SURNAMES = _pairs("""
ตัวอย่างดี Tuayangdi ทดลองสุข Thotlongsuk สมมุติวงศ์ Sommutwong ใจดีงาม Chaidi-ngam ทองสุกใส Thongsuksai บุญรักษาศีล Bunraksasin
ศรีวิไลทอง Siwilaithong แก้วมณีใส Kaeomanisai พรหมสถิตย์ดี Phromsathitdi วงศ์สมมุติ Wongsommut ชูเกียรติงาม Chukiat-ngam
มั่นคงดี Mankhongdi สุขสันต์ใจ Suksanchai รุ่งเรืองทรัพย์ Rungrueangsap จันทร์กระจ่าง Chankrachang ดวงแก้วใส Duangkaeosai
นาคสมบูรณ์ Naksombun พึ่งบุญมาก Phuengbunmak สายธารทอง Saitharnthong ไชยมงคลดี Chaimongkhondi อินทร์แปลง Inplaeng
คำแสนงาม Khamsaen-ngam ปัญญาใส Panyasai กุลสมมุติ Kunsommut เพชรน้ำงาม Phetnam-ngam สิงห์ทองคำ Singthongkham
หอมหวานใจ Homwanchai อ่อนหวานดี Onwandi ยิ้มสดใส Yimsotsai แสนสุขใจ Saensukchai ลำน้ำเย็น Lamnamyen ภูผาทอง Phuphathong
ป่าเขียวดี Pakhiaodi ทุ่งรวงทอง Thungruangthong นาดีงาม Nadi-ngam บ้านร่มเย็น Banromyen สวนสมมุติ Suansommut
รักถิ่นไทย Rakthinthai เจริญสุขดี Charoensukdi วัฒนาใจ Watthanachai ศักดิ์ทดลอง Sakthotlong ธรรมตัวอย่าง Thamtuayang
กล้าหาญดี Klahandi ขยันยิ่ง Khayanying งามพร้อม Ngamphrom จิตต์ใส Chittsai ชื่นใจดี Chuenchaidi ซื่อตรงดี Suetrongdi
เดชสมมุติ Detsommut ตั้งใจดี Tangchaidi ถิ่นทอง Thinthong ทิพย์สมมุติ Thipsommut ธารใส Thansai นิลงาม Nin-ngam
บัวทองคำ Buathongkham ประสงค์ดี Prasongdi ผ่องใส Phongsai พูนทรัพย์ Phunsap ฟ้าสว่าง Fasawang ภักดียิ่ง Phakdiying
มีสุขดี Misukdi ยอดดี Yotdi ร่มไทร Romsai เลิศล้ำ Loetlam วารีใส Warisai ศรีทดลอง Sithotlong สว่างใจ Sawangchai
หวังดี Wangdi องอาจดี Ong-atdi
""")
